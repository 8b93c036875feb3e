"""Ends runs of a graph that take too long: a loop's length may depend on the image."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import onnxruntime

CHECK_SECONDS = 1.0

_running: dict[int, tuple[float, onnxruntime.RunOptions]] = {}
"""When each run of this process must have ended, and what ends it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[onnxruntime.RunOptions]:
    """Give the options for one run; `terminate` is set, which ends it, once its time is over."""
    _start_watching()
    options = onnxruntime.RunOptions()
    _running[id(options)] = time.monotonic() + seconds, options
    try:
        yield options
    finally:
        del _running[id(options)]


@cache
def _start_watching() -> None:
    threading.Thread(target=_watch, name="time-limit", daemon=True).start()


def _watch() -> None:
    # One thread for all runs: a timer for each would cost more than a small graph's run.
    while True:
        time.sleep(CHECK_SECONDS)
        for ends_at, options in list(_running.values()):
            if time.monotonic() > ends_at:
                options.terminate = True
