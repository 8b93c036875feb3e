"""How many requests that take seconds one worker answers at a time: small ones need a thread, too.

Eight requests of 16 shots and 9,999 allowed texts held all threads, and /healthz waited a minute.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import UnavailableError

LONG_SECONDS = 0.5
"""What a request takes without asking."""
IMAGE_SECONDS = 0.005
SEARCH_SECONDS = 0.045
"""Of a search within limits, or for alternatives, where an image shows nothing: the longest."""
TEXT_SECONDS = 0.000_015
"""Of each allowed text in such an image."""
WAIT_SECONDS = 2.0
"""Longest time that a long request waits for others."""


def expected_seconds(images: int, *, search: bool, texts: int, combine: bool) -> float:
    """Return how long one core takes at most for a request.

    search: whether limits or alternatives are asked for; texts: in the list of allowed ones.
    """
    each = IMAGE_SECONDS + SEARCH_SECONDS * search + TEXT_SECONDS * texts
    return images * each * (2 if combine else 1)  # the output as it is, and softened


class LongWork:
    """Lets half of a worker's threads do long work, and a quarter wait for it; thread-safe."""

    def __init__(self, threads: int) -> None:
        self._running = threading.BoundedSemaphore(max(1, threads // 2))
        self._waiting = threading.BoundedSemaphore(max(1, threads // 4))

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Begin once there is room for a request that takes so long.

        Raises UnavailableError predictor_busy after WAIT_SECONDS, or at once if others wait.
        """
        if seconds <= LONG_SECONDS:
            yield
            return
        self._enter()
        try:
            yield
        finally:
            self._running.release()

    def _enter(self) -> None:
        if self._running.acquire(blocking=False):
            return
        if self._waiting.acquire(blocking=False):
            try:
                if self._running.acquire(timeout=WAIT_SECONDS):
                    return
            finally:
                self._waiting.release()
        raise UnavailableError(
            "predictor_busy",
            "Other requests that take seconds are being answered.",
            "Send it again in some seconds, or fewer images or allowed texts at a time.",
        )
