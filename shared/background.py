"""Calls that may block for longer than their caller can wait."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start a call in a thread of its own, which holds up nobody's exit.

    Its result, or what it raises, comes through the future; who stops waiting abandons it.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # else who stops waiting would cancel it

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # handed on to the caller
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
