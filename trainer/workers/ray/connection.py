"""The worker's connection to a Ray cluster: a process beside it is the cluster's driver.

Ray itself is imported in that process only (trainer.workers.ray.questions).
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from shared.errors import ReadsmithError, SetupError, UnavailableError
from trainer.subprocesses import die_with_parent, in_clean_process
from trainer.workers.executors import OutOfReachError
from trainer.workers.ray import questions
from trainer.workers.ray.messages import Machine

RECONNECT_SECONDS = 10.0

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("trainer.ray")


class RayConnection:
    """Connects by itself, again and again while the cluster is away, and says so once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._changing = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._process: Future[int] = Future()
        self._connecting: Future[list[Machine]] = Future()
        self._connected = False
        self.problem: str | None = None
        self._next_try = 0.0

    def ready(self) -> bool:
        """Say whether the cluster answers; if not, try again to reach it. Takes no time."""
        if self._pool is None and time.monotonic() >= self._next_try:
            self._pool = ProcessPoolExecutor(
                1, get_context("spawn"), _own_process, initargs=(os.getpid(),)
            )
            self._process = self._pool.submit(os.getpid)
            self._connecting = self._pool.submit(questions.connect, self._address)
        if self._pool is None or not self._connecting.done():
            return False
        if not self._connected:
            try:
                self._greet(self._connecting.result())
            except Exception as error:
                self._lose(self._pool, error)
        return self._connected

    def ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of trainer.workers.ray.questions does; raises OutOfReachError."""
        pool = self._pool
        if pool is None:
            raise OutOfReachError("The Ray cluster is away.")
        try:
            return pool.submit(question, *args, **kwargs).result()
        except Exception as error:
            self._lose(pool, error)
            raise OutOfReachError("The Ray cluster is away.") from error

    def close(self) -> None:
        """Leave the cluster; what is still on it ends."""
        if self._pool is not None:
            self._end(self._pool)

    def _greet(self, machines: list[Machine]) -> None:
        self._connected, self.problem = True, None
        log.info(
            "The Ray cluster %s is there: %d machines, %g CPUs, %g GPUs.",
            self._address,
            len(machines),
            sum(machine.cpus for machine in machines),
            sum(machine.gpus for machine in machines),
        )

    def _lose(self, pool: ProcessPoolExecutor, error: Exception) -> None:
        with self._changing:
            if self._pool is not pool:
                return  # another thread was first
            self._pool, self._connected = None, False
            self._next_try = time.monotonic() + RECONNECT_SECONDS
        broken = isinstance(error, BrokenProcessPool)
        why = "it does not answer" if broken else str(error).rstrip(".")
        if self.problem is None:
            log.warning("The Ray cluster %s is away, jobs wait: %s.", self._address, why)
        self.problem = f"The Ray cluster {self._address} is away: {why}."
        if not broken:
            self._end(pool)

    def _end(self, pool: ProcessPoolExecutor) -> None:
        """Kill the process: one that waits for its cluster would not listen."""
        with suppress(BrokenProcessPool):
            os.kill(self._process.result(), signal.SIGKILL)
        pool.shutdown(wait=False, cancel_futures=True)


def require_ray() -> None:
    """Raise ReadsmithError package_missing without Ray."""
    if find_spec("ray") is None:
        raise SetupError(
            "package_missing",
            "READSMITH_EXECUTOR=ray needs the package ray.",
            "pip install 'readsmith[ray]'",
        )


def look_at(address: str) -> list[Machine]:
    """Return the machines of a cluster; raises ReadsmithError package_missing or ray_away."""
    require_ray()
    try:
        found: list[Machine] = in_clean_process(questions.connect, address)
    except (OutOfReachError, ReadsmithError) as error:
        raise UnavailableError(
            "ray_unavailable",
            f"The Ray cluster {address} is away: {error}",
            "Start it, or see that READSMITH_RAY_ADDRESS is right; jobs wait for it.",
        ) from None
    return found


def _own_process(parent: int) -> None:
    """Prepare the process: it ends with its parent alone."""
    die_with_parent(parent)
    # systemd, for one, sends SIGTERM to all processes of a service: jobs are handed back first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
