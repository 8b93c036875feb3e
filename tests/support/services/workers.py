"""Real worker processes for tests, with a child of the test's own, and what is left of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from trainer.settings import Settings

WORKER = """
import json, signal, sys, time
from trainer.database.tables import Database
from trainer.settings import Settings
from trainer.workers.worker import Worker, make_executor

shift, right = int(sys.argv[2]), time.time
time.time = lambda: right() + shift
settings = Settings(**json.loads(sys.argv[1]))
worker = Worker(settings, Database(settings.jobs_database), make_executor(settings, sys.argv[3:]))
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
worker.run()
"""


def start_worker(
    settings: Settings, child: Sequence[str], shift: int = 0
) -> "subprocess.Popen[bytes]":
    """Start a worker whose child is Python with these arguments.

    shift: seconds by which the worker's own clock is wrong.
    """
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, settings.model_dump_json(), str(shift), *child],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def wait_until(true: Callable[[], Any], seconds: float = 600, pause: float = 0.05) -> None:
    """Return once it is true; AssertionError after so many seconds. pause: between two looks."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs, of whomever it is a child; a zombie does not."""
    return _status(pid) is not None


def alive_in_session(leader: int) -> list[int]:
    """Return the processes that run in the session of this leader, itself among them."""
    return _with_status(3, leader)


def children_of(parent: int) -> list[int]:
    """Return the processes that run as children of this one."""
    return _with_status(1, parent)


def _with_status(field: int, value: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if (status := _status(pid)) and status[field] == str(value)]


def _status(pid: int) -> list[str] | None:
    """Return state, parent, group, session … of a process, None if it is none or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields
