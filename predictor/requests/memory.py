"""How much memory large requests may take at a time in one worker: beyond it they wait, then 503.

Eight requests of 29 MB took a worker of 100 MB to 800, and a container of four to its end.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from predictor.settings import PredictorSettings
from shared.errors import TooLargeError, UnavailableError

SMALL_BYTES = 2_000_000
"""What a request takes without asking, for its body and for each image: small ones never wait."""
BODY_COPIES = 2
"""Of a body, while it is parsed."""
WIDE_COPIES = 5
"""Of JSON with characters beyond Latin-1: Python stores each of such a text in four bytes."""
MOST_WIDE_BYTES = 20_000_000
"""Of such JSON: five copies of more do not fit into a worker."""
CUT_COPIES = 3
"""Of a body with a data: URL, whose beginning is cut off before it is decoded."""
SHARED_BODY_BYTES = 32_000_000
"""Of bodies at a time; a larger one must be alone."""
DECODING_BYTES = 90_000_000
"""For decoding images: one of ten megapixels in colour. WEBP of that size takes more, alone."""
ARCHIVE_BYTES = 32_000_000
"""Of images that wait to be archived; beyond it new ones are not."""
WAIT_SECONDS = 2.0
"""Longest time that a large request waits for others."""


def request_bytes(settings: PredictorSettings) -> int:
    """Return the most that the large requests of one worker take together.

    Several, or one whose body is larger than they may have: while it is parsed, or when that is
    done and one of its images is decoded.
    """
    most = settings.max_body_bytes
    return max(shared_bytes(settings) + DECODING_BYTES, BODY_COPIES * most, most + DECODING_BYTES)


def shared_bytes(settings: PredictorSettings) -> int:
    """Return what the bodies of several large requests may take together."""
    return BODY_COPIES * min(settings.max_body_bytes, SHARED_BODY_BYTES)


@dataclass
class Lease:
    """What one large request takes; the budget alone changes it."""

    budget: "MemoryBudget"
    body: int = 0
    decoding: int = 0

    def hold_body(self, size: int) -> None:
        """Take what a body of this size needs; raises UnavailableError memory_busy.

        Until the request ends: what is parsed out of the body lives as long.
        """
        if size * BODY_COPIES > SMALL_BYTES:
            self.budget.change(self, body=size * BODY_COPIES, decoding=self.decoding)

    def hold_json(self, body: bytes) -> None:
        """Take more for a JSON body whose texts need more.

        Raises UnavailableError memory_busy, and TooLargeError for more than MOST_WIDE_BYTES.
        """
        narrow = body.isascii() and body.count(b"\\u") == body.count(b"\\u00")
        if narrow:
            self.hold_data_url(body)
        elif len(body) > MOST_WIDE_BYTES:
            raise TooLargeError(
                "body_too_large",
                f"The JSON body has {len(body):,} bytes and characters beyond Latin-1; "
                f"with such characters it may have {MOST_WIDE_BYTES:,}.",
                "Send the images as multipart/form-data, or fewer at a time.",
                "body",
            )
        else:
            self._hold_copies(len(body) * WIDE_COPIES)

    def hold_data_url(self, body: bytes) -> None:
        """Take more for a body with a data: URL; raises UnavailableError memory_busy."""
        if b";base64," in body:
            self._hold_copies(len(body) * CUT_COPIES)

    def _hold_copies(self, size: int) -> None:
        if size > max(self.body, SMALL_BYTES):
            self.budget.change(self, body=size, decoding=self.decoding)

    def hold_decoding(self, size: int) -> None:
        """Take what decoding an image needs, the largest so far; raises UnavailableError.

        Until the request ends, too: a request of 64 large images would wait 64 times.
        """
        if size > max(self.decoding, SMALL_BYTES):
            # Given back first: two that hold some and want more would wait for each other.
            self.budget.change(self, body=self.body, decoding=0)
            self.budget.change(self, body=self.body, decoding=size)


class MemoryBudget:
    """Bytes that the large requests of one worker take together; thread-safe.

    One that is alone may take any size: the settings limit it.
    """

    def __init__(self, settings: PredictorSettings) -> None:
        self._most = shared_bytes(settings) + DECODING_BYTES
        # Decoding always finds room beside bodies: else requests that hold theirs would wait for
        # each other.
        self._most_bodies = shared_bytes(settings)
        # A waiting request occupies a thread, which small ones need.
        self._most_waiting = max(1, settings.predictor_threads // 4)
        self._bodies = self._decoding = self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Give a request a lease, which ends with the block."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            if lease.body or lease.decoding:
                self.change(lease, body=0, decoding=0)

    def change(self, lease: Lease, body: int, decoding: int) -> None:
        """Have a lease take this much, as soon as there is room.

        Raises UnavailableError after WAIT_SECONDS, or at once if others wait already.
        """
        with self._changed:
            if not self._fits(lease, body, decoding):
                self._wait(lease, body, decoding)
            self._bodies += body - lease.body
            self._decoding += decoding - lease.decoding
            lease.body, lease.decoding = body, decoding
            self._changed.notify_all()

    def _fits(self, lease: Lease, body: int, decoding: int) -> bool:
        bodies = self._bodies - lease.body
        others = bodies + self._decoding - lease.decoding
        if others == 0 or body + decoding <= lease.body + lease.decoding:
            return True
        if body > lease.body and bodies + body > self._most_bodies:
            return False
        return others + body + decoding <= self._most

    def _wait(self, lease: Lease, body: int, decoding: int) -> None:
        if self._waiting < self._most_waiting:
            self._waiting += 1
            try:
                if self._changed.wait_for(
                    lambda: self._fits(lease, body, decoding), timeout=WAIT_SECONDS
                ):
                    return
            finally:
                self._waiting -= 1
        raise UnavailableError(
            "memory_busy",
            "Other large requests take the memory that the predictor has for them.",
            "Send it again in some seconds, or fewer and smaller images at a time.",
        )
