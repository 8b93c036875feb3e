"""What Ray adds to a job's time, and a small cluster's throughput of jobs.

    python -m benchmarks.executors [--rounds 3] [--quick] [--json FILE]

Starts a worker for each executor, and a Ray cluster on this machine: a head and two nodes with
four slots each, whatever the processors. Jobs sleep instead of training.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.predict import show
from benchmarks.record import PartRecord
from benchmarks.stub_training import ENDED
from benchmarks.table import Row, spread
from shared.api.jobs import Job
from tests.support.services.ray_cluster import running_ray
from tests.support.services.services import free_port
from tests.support.services.workers import start_worker
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings

SLOTS = 4
"""Jobs at a time on each of the two nodes."""
CHILD = ("-m", "benchmarks.stub_training")

Figures = dict[str, Any]


def main() -> None:
    """Measure and print; both executors in turn."""
    options = _options()
    record = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
    lengths = (1.0,) if options.quick else (1.0, 60.0)
    many = (4, 1.0) if options.quick else (24, 10.0)
    with tempfile.TemporaryDirectory() as folder, _ray(Path(folder)) as address:
        executors = {
            name: Settings(
                store=f"{folder}/models",
                state=Path(folder) / name,
                executor=name,
                ray_address=address,
                jobs_in_flight=2 * SLOTS,
            )
            for name in ("local", "ray")
        }
        figures = [
            figure
            for _ in range(1 if options.quick else options.rounds)
            for name, settings in executors.items()
            for figure in measure(name, settings, lengths, many)
        ]
    record.rows = list(rows(figures, lengths, many))
    if options.json:
        content = record.model_dump(mode="json", exclude={"runs"}) | {"figures": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    show(record, "Executors")


@contextmanager
def _ray(folder: Path) -> Iterator[str]:
    with running_ray(folder / "nodes", free_port(), cpus=SLOTS) as cluster:
        yield cluster.address


def measure(
    name: str, settings: Settings, lengths: Sequence[float], many: tuple[int, float]
) -> Iterator[Figures]:
    """Run a job of each length, then many at once on Ray."""
    database = Database(settings.jobs_database)
    jobs = JobStore(database, max_queued_jobs=1000)
    worker = start_worker(settings, CHILD)
    try:
        run(jobs, worker, 1, 0.1)  # until all processes have started
        for seconds in lengths:
            _say(f"{name}: a job of {seconds:g} s ...")
            (job,) = run(jobs, worker, 1, seconds)
            yield {"executor": name, "seconds": seconds, "overhead": duration([job]) - seconds}
        count, seconds = many
        if name == "ray":
            _say(f"{name}: {count} jobs of {seconds:g} s ...")
            took = duration(run(jobs, worker, count, seconds))
            yield {"executor": name, "seconds": "many", "per_hour": 3600 * count / took}
    finally:
        worker.terminate()
        worker.wait()
        database.close()


def run(jobs: JobStore, worker: "subprocess.Popen[bytes]", count: int, seconds: float) -> list[Job]:
    """Create jobs and return them once all have ended; exits if one ended otherwise."""
    request = JobRequest(metadata={"seconds": str(seconds)})
    ids = [jobs.create(request).id for _ in range(count)]
    while not all(jobs.get(each).status.is_final for each in ids):
        if worker.poll() is not None:
            sys.exit("error: the worker has ended.")
        time.sleep(0.1)
    over = [jobs.get(each) for each in ids]
    for job in over:
        if job.error is None or job.error.code != ENDED:
            sys.exit(f"error: {job.error and job.error.message}")
    return over


def duration(jobs: Sequence[Job]) -> float:
    """Return the seconds from the first creation to the last end, by the database's clock."""
    ends = [job.finished_at for job in jobs if job.finished_at]
    return (max(ends) - min(job.created_at for job in jobs)).total_seconds()


def rows(
    figures: Sequence[Figures], lengths: Sequence[float], many: tuple[int, float]
) -> Iterator[Row]:
    """Compare Ray (ours) with the local executor (reference): median, minimum and maximum."""
    for seconds in lengths:
        local, ray = (
            [
                each["overhead"]
                for each in figures
                if (each["executor"], each["seconds"]) == (name, seconds)
            ]
            for name in ("local", "ray")
        )
        whole = [seconds + statistics.median(added) for added in (local, ray)]
        yield Row(
            what=f"a job of {seconds:g} s: from the post to its end, beyond its length",
            reference=spread(local, "{:.1f} s"),
            ours=spread(ray, "{:.1f} s"),
            ratio=f"{whole[1] / whole[0]:.2f}× in all",
            target="",
            reached=None,
        )
    count, seconds = many
    yield Row(
        what=f"jobs per hour: {count} of {seconds:g} s, {2 * SLOTS} at a time",
        reference="",
        ours=spread([each["per_hour"] for each in figures if "per_hour" in each], "{:,.0f}"),
        ratio=f"of {3600 * 2 * SLOTS / seconds:,.0f}",
        target="",
        reached=None,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="only a few seconds, to test that it runs"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
