"""Runs a function in a fresh process that shares nothing with this one."""

import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from shared.errors import ReadsmithError
from trainer.processes import die_with_parent

P = ParamSpec("P")
R = TypeVar("R")


def in_clean_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Spawn a process, run an importable function in it, return its result or raise its error.

    Raises ReadsmithError (process_died) if the process ends without either.
    """
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=die_with_parent,
        initargs=(os.getpid(),),
    ) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise ReadsmithError(
                "process_died",
                f"The process that ran {function.__name__} ended without an answer.",
                "It may have run out of memory; give it more or use smaller images.",
            ) from error


def limit_this_process(memory: int, seconds: int) -> None:
    """Give this process so many bytes of memory and seconds from now; the kernel sees to it.

    More memory is refused, which most programs end of; after its time the process is killed.
    """
    # RLIMIT_AS would count the gigabytes that TensorFlow reserves and never touches.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
