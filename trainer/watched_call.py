"""Waiting for the network without losing sight of the job."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

TICK_SECONDS = 0.5

T = TypeVar("T")


def watched(call: Callable[[], T], tick: Callable[[], None]) -> T:
    """Return what a blocking call returns, or raise what it raises.

    tick is called before it and twice a second while it lasts. When tick raises, the call is left
    behind in its thread, and its result is dropped.
    """
    tick()
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # handed on to the caller
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    while not wait([future], TICK_SECONDS).done:
        tick()
    return future.result()
