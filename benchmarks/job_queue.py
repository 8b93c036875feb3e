"""How many jobs one database takes before it gives, in SQLite and in PostgreSQL.

    python -m benchmarks.job_queue [--quick] [--json FILE]

Starts a PostgreSQL of its own (Debian: apt install postgresql) that waits for the disk, as SQLite
does here. Workers are processes on the same cores that do all that a worker and its run do in the
database, without the training.
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
from benchmarks.stub_worker import Work
from benchmarks.table import Row, spread
from tests.postgresql import Server, running_server
from trainer.database import Database, events, jobs
from trainer.jobs import Status
from trainer.requests import JobRequest

LOADS = ((1, 1, 0.0), (2, 1, 0.0), (4, 1, 0.0), (8, 1, 0.0), (8, 4, 1.0))
"""Processes, workers in each as threads, and the seconds of a job's training."""
SIZES = (1_000, 100_000)
"""Jobs that are over, in the table where one is claimed."""
TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, Any]


def main() -> None:
    """Measure and print; SQLite and PostgreSQL in turn."""
    options = _options()
    record = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
    seconds, rounds = (2.0, 1) if options.quick else (5.0, 3)
    with tempfile.TemporaryDirectory() as folder, running_server(durable=True) as server:
        urls = {"SQLite": f"sqlite:///{folder}/jobs.sqlite", "PostgreSQL": server.new_database()}
        figures = [
            figure
            for _ in range(rounds)
            for name, url in urls.items()
            for figure in measure(name, url, server, seconds, quick=options.quick)
        ]
    record.rows = list(rows(figures))
    if options.json:
        content = record.model_dump(mode="json", exclude={"runs"}) | {"figures": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    show(record, "Job queue benchmark")


def measure(
    name: str, url: str, server: Server, seconds: float, *, quick: bool
) -> Iterator[Figures]:
    """Measure one database: jobs a second by workers, then the time of a claim by jobs."""
    _say(f"{name} ...")
    for processes, threads, training in LOADS:
        fill(url, waiting=2_000 if quick else 20_000)
        before = cpu_seconds(server)
        done = together(url, processes, threads, seconds, training)
        ended = max(1, sum(each.jobs for each in done))
        yield {
            "what": "jobs",
            "database": name,
            "workers": processes * threads,
            "per_second": sum(each.in_time for each in done) / seconds,
            "worker_ms": 1000 * sum(each.cpu_seconds for each in done) / ended,
            "server_ms": 1000 * (cpu_seconds(server) - before) / ended,
        }
    for size in SIZES:
        fill(url, over=size, waiting=200)
        queue = stub_worker.queue_of(Database(url))
        yield {"what": "claim", "database": name, "jobs": size} | timed(queue.claim, 200)
        yield {"what": "idle", "database": name, "jobs": size} | timed(queue.claim, 200)


def together(url: str, processes: int, threads: int, seconds: float, training: float) -> list[Work]:
    """Have so many workers run jobs at the same time; returns what each process did."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(stub_worker.wait, [2.0] * processes))  # until every process has started
        begin = time.time() + 1
        each = [
            pool.submit(stub_worker.run_together, threads, url, begin, seconds, training)
            for _ in range(processes)
        ]
        return [future.result() for future in each]


def fill(url: str, *, waiting: int, over: int = 0) -> None:
    """Put that many jobs into the database in place of those that are there."""
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


def timed(act: Callable[[], object], times: int) -> Figures:
    """Do something so many times and return its milliseconds."""
    milliseconds = []
    for _ in range(times):
        begin = time.perf_counter()
        act()
        milliseconds.append(1000 * (time.perf_counter() - begin))
    return {"p50_ms": statistics.median(milliseconds), "p99_ms": sorted(milliseconds)[-times // 99]}


def cpu_seconds(server: Server) -> float:
    """Return the processor time of all processes that the server has and had."""
    spent = 0
    for pid in server.processes:
        with suppress(FileNotFoundError, ProcessLookupError):  # its leader counts what has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent += sum(map(int, fields[11:15]))  # utime, stime, and those of ended children
    return spent / TICKS


def rows(figures: Sequence[Figures]) -> Iterator[Row]:
    """Set PostgreSQL (ours) beside SQLite (reference), the rounds' middle, least and most."""
    for processes, threads, training in LOADS:
        workers = processes * threads
        length = f"{training:.0f} s" if training else "no length"
        what = f"jobs of {length} per second, {workers} workers"
        work = {"what": "jobs", "workers": workers}
        yield _row(what, figures, work, "per_second", "{:.1f}/s")
    for what, figure in (("a worker", "worker_ms"), ("the server", "server_ms")):
        which = {"what": "jobs", "workers": 1}
        yield _row(f"processor time of {what} per job", figures, which, figure, "{:.0f} ms")
    for size in SIZES:
        for what, title in (("claim", "a claim"), ("idle", "a look into an empty queue")):
            which = {"what": what, "jobs": size}
            yield _row(
                f"{title}, {size:,} jobs in the table (p50)", figures, which, "p50_ms", "{:.1f} ms"
            )


def _row(what: str, figures: Sequence[Figures], which: Figures, figure: str, style: str) -> Row:
    found = {
        name: [
            each[figure] for each in figures if each.items() >= (which | {"database": name}).items()
        ]
        for name in ("SQLite", "PostgreSQL")
    }
    middles = [statistics.median(found[name]) for name in ("SQLite", "PostgreSQL")]
    return Row(
        what=what,
        reference=spread(found["SQLite"], style),
        ours=spread(found["PostgreSQL"], style),
        ratio=f"{middles[1] / middles[0]:.1f}×" if middles[0] else "",
        target="",
        reached=None,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds each: does it still run?")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
