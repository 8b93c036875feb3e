"""Someone who uses a service while others attack it, and what the attack costs the service."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

PATIENCE = 5.0
"""Seconds within which a bystander is answered, whatever the attack."""
PAUSE = 0.1


@dataclass
class Seen:
    """What a bystander has seen: seconds of each answer, and the statuses that were not 200."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        p50, longest = statistics.median(self.seconds), max(self.seconds)
        return f"{len(self.seconds)} answers, p50 {p50 * 1000:.0f} ms, longest {longest:.2f} s"

    def require_patience(self) -> None:
        """Fail unless each request was answered, and in time."""
        assert not self.failed, self.failed[:5]
        assert max(self.seconds) < PATIENCE, str(self)


@contextmanager
def bystander(url: str, *paths: str) -> Iterator[Seen]:
    """Ask for these paths in turn, again and again, as long as the block lasts."""
    seen, done = Seen(), threading.Event()

    def ask() -> None:
        while True:
            for path in paths:
                began = time.monotonic()
                try:
                    status = requests.get(url + path, timeout=120).status_code
                except requests.RequestException as error:
                    seen.failed.append(f"{path}: {error}")
                else:
                    if status != 200:
                        seen.failed.append(f"{path}: {status}")
                seen.seconds.append(time.monotonic() - began)
            if done.wait(PAUSE):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def resident_bytes(process: int) -> int:
    """Return the memory of a process and of the processes below it."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return 1024 * int(kilobytes) + sum(map(resident_bytes, children(process)))


def checks(trainer: int) -> list[int]:
    """Return the processes in which a trainer checks datasets."""
    return [child for child in children(trainer) if b"spawn_main" in _command(child)]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def children(process: int) -> list[int]:
    """Return the ids of a process's children."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]
