"""Child processes that share nothing with this one and die with it; explains how they ended."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from shared.child_process import die_with_parent
from shared.errors import ProcessDiedError

P = ParamSpec("P")
R = TypeVar("R")


def in_clean_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Spawn a process, run an importable function in it, return its result or raise its error.

    Raises ReadsmithError (process_died) if the process ends without either.
    """
    return in_stoppable_process(lambda: None, function, *args, **kwargs)


def in_stoppable_process(
    checkpoint: Callable[[], None], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Do the same; twice a second checkpoint is called, and what it raises kills the process."""
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=die_with_parent,
        initargs=(os.getpid(),),
    ) as pool:
        try:
            process = pool.submit(os.getpid).result()
            answer = pool.submit(function, *args, **kwargs)
            while not wait([answer], CHECK_SECONDS).done:
                _checked(checkpoint, process)
            return answer.result()
        except BrokenProcessPool as error:
            raise ProcessDiedError(
                "process_died",
                f"The process that ran {function.__name__} ended without an answer.",
                "It may have run out of memory; give it more or use smaller images.",
            ) from error


def _checked(checkpoint: Callable[[], None], process: int) -> None:
    try:
        checkpoint()
    except BaseException:
        os.kill(process, signal.SIGKILL)
        raise


def ignore_signals() -> None:
    """Ignore SIGHUP, SIGUSR1 and SIGUSR2, here and in child processes started from now on.

    Each would end a process: a terminal that closes, or a program that rotates logs, sends them.
    """
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


NICENESS = 10
"""Training gets the CPU time that nothing else needs, so that both APIs stay responsive."""

CHECK_SECONDS = 0.5
"""Between two checks whether a process is still wanted."""

GRACE_SECONDS = 3.0
"""Seconds between SIGTERM and SIGKILL."""


def stop_group(child: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    """End the session that a child leads: SIGTERM, then SIGKILL after the grace period."""
    _signal_group(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_seconds)
    # Also after the child's own end: its children may ignore SIGTERM.
    _signal_group(child, signal.SIGKILL)
    child.wait()


def _signal_group(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
