"""The worker's connection to a Ray cluster, through a driver process beside it."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from shared.child_process import die_with_parent
from shared.errors import ReadsmithError, UnavailableError
from trainer.subprocesses import in_clean_process
from trainer.workers.executors import ExecutorUnavailableError
from trainer.workers.ray import driver
from trainer.workers.ray.messages import Machine

RECONNECT_SECONDS = 10.0
"""Pause between two attempts to reach the cluster."""

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("trainer.ray")


class RayConnection:
    """Connects and reconnects by itself; logs once that the cluster is unreachable."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._process: Future[int] = Future()
        self._connecting: Future[list[Machine]] = Future()
        self._connected = False
        self.problem: str | None = None
        self._reconnect_at = 0.0

    def ready(self) -> bool:
        """Return whether the cluster is connected; if not, reconnect in the background."""
        if self._pool is None and time.monotonic() >= self._reconnect_at:
            # A process, because Ray exits the process of a driver that has lost its cluster for
            # a minute, from C++: no exception could save the worker. A pool of one turns its
            # death into one.
            self._pool = ProcessPoolExecutor(
                1, get_context("spawn"), _init_driver_process, initargs=(os.getpid(),)
            )
            self._process = self._pool.submit(os.getpid)
            self._connecting = self._pool.submit(driver.connect, self._address)
        if self._pool is None or not self._connecting.done():
            return False
        if not self._connected:
            try:
                self._set_connected(self._connecting.result())
            except Exception as error:
                self._disconnect(self._pool, error)
        return self._connected

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of trainer.workers.ray.driver in the driver process; return its result.

        Raises ExecutorUnavailableError.
        """
        pool = self._pool
        if pool is None:
            raise ExecutorUnavailableError("The Ray cluster is unreachable.")
        try:
            return pool.submit(function, *args, **kwargs).result()
        except Exception as error:
            self._disconnect(pool, error)
            raise ExecutorUnavailableError("The Ray cluster is unreachable.") from error

    def close(self) -> None:
        """Leave the cluster; Ray ends the actors that still run."""
        if self._pool is not None:
            self._kill(self._pool)

    def _set_connected(self, machines: list[Machine]) -> None:
        self._connected, self.problem = True, None
        log.info(
            "Connected to the Ray cluster %s: %d machines, %g CPUs, %g GPUs.",
            self._address,
            len(machines),
            sum(machine.cpus for machine in machines),
            sum(machine.gpus for machine in machines),
        )

    def _disconnect(self, pool: ProcessPoolExecutor, error: Exception) -> None:
        with self._lock:
            if self._pool is not pool:
                return  # another thread was first
            self._pool, self._connected = None, False
            self._reconnect_at = time.monotonic() + RECONNECT_SECONDS
        broken = isinstance(error, BrokenProcessPool)
        why = "it does not answer" if broken else str(error).rstrip(".")
        if self.problem is None:
            log.warning("The Ray cluster %s is unreachable, jobs wait: %s.", self._address, why)
        self.problem = f"The Ray cluster {self._address} is unreachable: {why}."
        if not broken:
            self._kill(pool)

    def _kill(self, pool: ProcessPoolExecutor) -> None:
        # SIGKILL: inside a call of Ray's that waits for the cluster, Python handles no signal.
        with suppress(BrokenProcessPool):
            os.kill(self._process.result(), signal.SIGKILL)
        pool.shutdown(wait=False, cancel_futures=True)


def list_machines(address: str) -> list[Machine]:
    """Return a cluster's machines; raises ReadsmithError ray_unavailable."""
    try:
        return in_clean_process(driver.connect, address)
    except (ExecutorUnavailableError, ReadsmithError) as error:
        raise UnavailableError(
            "ray_unavailable",
            f"The Ray cluster {address} is unreachable: {error}",
            "Start it, or correct READSMITH_RAY_ADDRESS; jobs wait for it.",
        ) from None


def _init_driver_process(parent: int) -> None:
    """Let nothing but the end of its parent end this process."""
    die_with_parent(parent)
    # systemd, for one, sends SIGTERM to all processes of a service, and the worker needs the
    # driver to stop its attempts before it queues their jobs again.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
