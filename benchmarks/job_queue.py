"""Throughput and latency of the job database, in SQLite and in PostgreSQL.

    python -m benchmarks.job_queue [--part alone|together] [--rounds 3] [--seconds 5] [--json FILE]

Starts a PostgreSQL server (Debian: apt install postgresql) with fsync, as SQLite has here. Workers
are processes on the same cores that do all database work of a worker and its run, without the
training.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from benchmarks import stub_worker
from benchmarks.predict import show
from benchmarks.record import PartRecord
from benchmarks.table import Row, spread
from shared.api.jobs import Status
from tests.support.services.postgresql import Server, running_server
from trainer.database.tables import Database, events, jobs
from trainer.schemas.job_request import JobRequest

LOADS = ((1, 1, 0.0), (2, 1, 0.0), (4, 1, 0.0), (8, 1, 0.0), (8, 4, 1.0))
"""Processes, workers in each as threads, and the seconds of a job's training."""
SIZES = (1_000, 100_000)
"""Ended jobs in the table from which one is claimed."""
JOB = f"a job of {stub_worker.EPOCHS} epochs and no length"
CHECK = "a check for cancellation"
CLAIM = "a claim, {:,} jobs in the table"
IDLE = "a poll of an empty queue, {:,} jobs in the table"
STYLES = {
    "p50_ms": ("by the clock, p50", "{:.1f} ms"),
    "worker_ms": ("the worker's core", "{:.1f} ms"),
    "server_ms": ("the server's core", "{:.1f} ms"),
    "per_second": ("jobs a second", "{:.1f}/s"),
}
TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, Any]


def main() -> None:
    """Measure and print; SQLite and PostgreSQL in turn."""
    options = _options()
    record = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
    with tempfile.TemporaryDirectory() as folder, running_server(durable=True) as server:
        urls = {"SQLite": f"sqlite:///{folder}/jobs.sqlite", "PostgreSQL": server.new_database()}
        figures = [
            figure
            for _ in range(options.rounds)
            for name, url in urls.items()
            for part in options.part or PARTS
            for figure in PARTS[part](name, url, server, options.seconds)
        ]
    record.rows = list(rows(figures))
    if options.json:
        content = record.model_dump(mode="json", exclude={"runs"}) | {"figures": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    show(record, "Job queue benchmark: SQLite (reference) and PostgreSQL (ours)")


def measure_together(name: str, url: str, server: Server, seconds: float) -> Iterator[Figures]:
    """Count the jobs that concurrent workers complete."""
    for processes, threads, training in LOADS:
        _say(f"{name}, {processes * threads} workers ...")
        fill(url, waiting=20_000)
        done = together(url, processes, threads, seconds, training)
        yield {"what": _load(processes, threads, training), "database": name} | {
            "per_second": sum(done) / seconds
        }


def measure_alone(name: str, url: str, server: Server, seconds: float) -> Iterator[Figures]:
    """Time the database operations of a single worker."""
    _say(f"{name}, one worker ...")
    database = Database(url)
    queue = stub_worker.queue_of(database)

    def timed(what: str, act: Callable[[], object], times: int) -> Figures:
        return {"what": what, "database": name} | spent(act, times, server)

    fill(url, waiting=100)
    yield timed(JOB, lambda: stub_worker.run_one(queue, stub_worker.next_of(queue), 0.0), 50)
    claim = stub_worker.next_of(queue)
    yield timed(CHECK, lambda: queue.check(claim), 300)
    for size in SIZES:
        fill(url, over=size, waiting=100)
        yield timed(CLAIM.format(size), queue.claim, 100)
        yield timed(IDLE.format(size), queue.claim, 200)
    database.close()


PARTS = {"alone": measure_alone, "together": measure_together}


def together(url: str, processes: int, threads: int, seconds: float, training: float) -> list[int]:
    """Run jobs in concurrent workers; returns how many each process completed."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(stub_worker.wait, [2.0] * processes))  # until every process has started
        begin = time.time() + 1
        each = [
            pool.submit(stub_worker.run_together, threads, url, begin, seconds, training)
            for _ in range(processes)
        ]
        return [future.result() for future in each]


def fill(url: str, *, waiting: int, over: int = 0) -> None:
    """Replace the jobs in the database with that many waiting and ended ones."""
    request = JobRequest().model_dump(mode="json")
    same = {"request": request, "created_at": 0.0, "finished_at": None}
    database = Database(url)
    with database.writing.begin() as connection:
        connection.execute(delete(events))
        connection.execute(delete(jobs))
        connection.execute(
            insert(jobs),
            [
                same | {"id": f"job-{number}", "status": status}
                for status, numbers in (
                    (Status.SUCCEEDED, range(over)),
                    (Status.QUEUED, range(over, over + waiting)),
                )
                for number in numbers
            ],
        )
    database.close()


def spent(act: Callable[[], object], times: int, server: Server) -> Figures:
    """Repeat an action; return its median milliseconds by the clock, and the mean of the cores."""
    milliseconds = []
    cpu, server_cpu = time.process_time(), cpu_seconds(server)
    for _ in range(times):
        begin = time.perf_counter()
        act()
        milliseconds.append(1000 * (time.perf_counter() - begin))
    return {
        "p50_ms": statistics.median(milliseconds),
        "worker_ms": 1000 * (time.process_time() - cpu) / times,
        "server_ms": 1000 * (cpu_seconds(server) - server_cpu) / times,
    }


def cpu_seconds(server: Server) -> float:
    """Return the CPU time of all the server's processes, ended ones included."""
    spent = 0
    for pid in server.processes:
        with suppress(FileNotFoundError, ProcessLookupError):  # its leader counts what has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += sum(map(int, fields[11:15]))  # utime, stime, and those of ended children
    return spent / TICKS


def rows(figures: Sequence[Figures]) -> Iterator[Row]:
    """Compare PostgreSQL (ours) with SQLite (reference): median, minimum and maximum."""
    for what in dict.fromkeys(figure["what"] for figure in figures):
        of_what = [figure for figure in figures if figure["what"] == what]
        for figure, (title, style) in STYLES.items():
            if figure in of_what[0]:
                sqlite, postgresql = (
                    [each[figure] for each in of_what if each["database"] == name]
                    for name in ("SQLite", "PostgreSQL")
                )
                yield Row(
                    what=f"{what}: {title}",
                    reference=spread(sqlite, style),
                    ours=spread(postgresql, style),
                    ratio="",
                    target="",
                    reached=None,
                )


def _load(processes: int, threads: int, training: float) -> str:
    length = f"{training:.0f} s" if training else "no length"
    return f"jobs of {length}, {processes * threads} workers"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="measure this part only; repeatable"
    )
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each measurement")
    parser.add_argument("--seconds", type=float, default=5, help="duration of each load")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
