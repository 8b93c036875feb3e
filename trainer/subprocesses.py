"""Child processes that share nothing with this one and die with it; explains how they ended."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

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


def limit_this_process(memory: int, seconds: int) -> None:
    """Have the kernel limit this process's memory in bytes and, from now, its run time in seconds.

    Allocations beyond the limit fail, which ends most programs; after the time it is killed.
    """
    # RLIMIT_AS would count the gigabytes that TensorFlow reserves and never touches.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    # The default action: a Python handler would wait for a C extension that never returns.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


NICENESS = 10
"""Training gets the CPU time that nothing else needs, so that both APIs stay responsive."""

CHECK_SECONDS = 0.5
"""Between two checks whether a process is still wanted."""

GRACE_SECONDS = 3.0
"""Seconds between SIGTERM and SIGKILL."""

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent, of this id, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit("The parent process is gone.")


def stop_group(child: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    """End the session that a child leads: SIGTERM, then SIGKILL after the grace period."""
    _signal_group(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_seconds)
    # Also after the child's own end: its children may ignore SIGTERM.
    _signal_group(child, signal.SIGKILL)
    child.wait()


def explain_exit(code: int) -> str:
    """Describe a child's exit code, as the end of a sentence."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"was killed by {name}: most likely memory ran out"
    return f"was killed by {name}"


def _signal_group(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
