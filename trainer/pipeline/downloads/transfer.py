"""Downloads a file into a part file, resuming over several connections if needed."""

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from http.client import IncompleteRead
from typing import TypeVar
from urllib.request import getproxies

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.background import in_background
from shared.errors import DatasetError, DiskFullError, DownloadFailedError
from shared.texts import shown
from trainer.pipeline.downloads.http import get
from trainer.pipeline.downloads.partial_file import PartFile, Validators
from trainer.schemas.limits import DownloadRules
from trainer.schemas.progress import CancelledRunError, Observer

CHUNK = 1 << 20
MIN_FREE_BYTES = 200_000_000
STALL_SECONDS = 60
MIN_BYTES_PER_SECOND = 1000
"""A slower connection is closed after STALL_SECONDS."""
RETRIES = 3
"""Retries in a row that may bring no new bytes."""
PAUSE_SECONDS = 1.0
"""Before the first retry; doubled before each further one."""
CHECK_SECONDS = 0.5
"""Between two checks for cancellation and timeouts during a network call."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)

T = TypeVar("T")


class InterruptedDownloadError(Exception):
    """A connection ended before the file was complete; worth_retrying if another may succeed."""

    def __init__(self, reason: str, worth_retrying: bool) -> None:
        super().__init__(shown(reason))
        self.worth_retrying = worth_retrying


class Download:
    """One download; the clock of max_seconds starts with it."""

    def __init__(self, url: str, part: PartFile, observer: Observer, rules: DownloadRules) -> None:
        self._url = url
        self._part = part
        self._observer = observer
        self._rules = rules
        self._started = time.monotonic()
        self._received = 0
        self._mark = (self._started, 0)
        """When the rate was last checked, and the bytes received until then."""

    def run(self, known: Validators) -> bool:
        """Fill the part file; False if the server says that a copy with `known` is current.

        A part from an earlier attempt is resumed if the file has not changed.
        Raises ReadsmithError (download_failed, download_refused, download_too_large, disk_full),
        and CancelledRunError or OSError, after which the part is deleted.
        """
        try:
            return self._retry(known)
        except (CancelledRunError, OSError):
            self._part.discard()
            raise

    def _retry(self, known: Validators) -> bool:
        fruitless = 0
        while True:
            before = self._part.size
            try:
                return self._attempt(known)
            except InterruptedDownloadError as error:
                fruitless = 1 if self._part.size > before else fruitless + 1
                # A server that sent something once is likely to come back: a typo in the address
                # is not worth waiting for, a dropped connection is.
                worth_it = error.worth_retrying or self._received > 0
                if fruitless > RETRIES or not worth_it:
                    after = f", after {self._part.size:,} bytes" if self._received else ""
                    raise self._failed(f"{error}{after}") from error
                self._pause(PAUSE_SECONDS * 2 ** (fruitless - 1), str(error))

    def _attempt(self, known: Validators) -> bool:
        self._mark = (time.monotonic(), self._received)
        answer = self._wait_for(lambda: get(self._url, self._headers(known), self._rules))
        try:
            if answer.status == 304 and known.conditions:
                return False
            self._begin(answer)
            self._save(answer)
        finally:
            # shutdown() also ends a read that was abandoned in its thread.
            with suppress(ValueError, RuntimeError):  # already shut down
                answer.shutdown()
            answer.close()
        return True

    def _headers(self, known: Validators) -> dict[str, str]:
        headers = {"User-Agent": "readsmith", "Accept-Encoding": "identity", **known.conditions}
        if self._part.resumable:
            headers["Range"] = f"bytes={self._part.size}-"
            headers["If-Range"] = str(self._part.validators.for_range)
        return headers

    def _begin(self, answer: BaseHTTPResponse) -> None:
        """Decide by status and headers whether the body is the whole file or the rest of it."""
        if answer.status == 206:
            start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            fits = start is not None and int(start[1]) == self._part.size
            if not fits or not self._part.validators.agree_with(_validators(answer)):
                self._part.restart(Validators())
                raise InterruptedDownloadError("the server sent another range than requested", True)
        elif answer.status == 200:
            self._part.restart(_validators(answer))
        else:
            if answer.status == 416:  # the part is longer than the file is now
                self._part.restart(Validators())
            raise InterruptedDownloadError(
                f"the server answered {answer.status} {answer.reason or ''}".rstrip(),
                answer.status in (*TRANSIENT, 416),
            )
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise InterruptedDownloadError(
                f"the server sent it encoded ({encoding}), which was not requested", False
            )
        expected = self._part.size + (answer.length_remaining or 0)
        self._require_allowed(expected)
        if shutil.disk_usage(self._part.path.parent).free < expected + MIN_FREE_BYTES:
            raise DiskFullError(
                "disk_full", f"No room for {expected:,} bytes of {self._url}.", "Free disk space."
            )

    def _save(self, answer: BaseHTTPResponse) -> None:
        while data := self._wait_for(lambda: answer.read1(CHUNK)):
            self._received += len(data)
            self._require_allowed(self._part.size + len(data))
            self._part.write(data)

    def _require_allowed(self, size: int) -> None:
        if size > self._rules.max_bytes:
            self._part.discard()
            raise DatasetError(
                "download_too_large",
                f"{self._url} has more than {self._rules.max_bytes:,} bytes.",
                "Use a smaller zip, or raise READSMITH_MAX_DOWNLOAD_BYTES.",
            )

    def _wait_for(self, call: Callable[[], T]) -> T:
        try:
            return watched(call, self._tick)
        except (HTTPError, OSError) as error:
            raise InterruptedDownloadError(_reason(error), False) from error

    def _tick(self) -> None:
        """Raise if the job was cancelled, or the server is too slow."""
        self._observer.checkpoint()
        now = time.monotonic()
        if now - self._started > self._rules.max_seconds:
            raise self._failed(f"it took more than {self._rules.max_seconds:g} seconds")
        since, received = self._mark
        if now - since > STALL_SECONDS:
            if self._received - received < MIN_BYTES_PER_SECOND * (now - since):
                raise InterruptedDownloadError(
                    f"the server sent {self._received - received:,} bytes in {now - since:.0f} s",
                    True,
                )
            self._mark = (now, self._received)

    def _pause(self, seconds: float, reason: str) -> None:
        self._observer.event(
            "retry",
            f"The download was interrupted after {self._part.size:,} bytes: {reason}. "
            f"Retrying in {seconds:g} s.",
        )
        self._mark = (time.monotonic(), self._received)
        watched(lambda: time.sleep(seconds), self._tick)

    def _failed(self, why: str) -> DownloadFailedError:
        hint = "Check the address and the network, or send a zip to POST /datasets."
        if getproxies() and not self._rules.proxy:
            hint += " The environment's proxy is not used unless READSMITH_DOWNLOAD_PROXY=1 is set."
        return DownloadFailedError(
            "download_failed", f"{self._url} could not be downloaded: {why}.", hint
        )


def _validators(answer: BaseHTTPResponse) -> Validators:
    return Validators(
        etag=answer.headers.get("ETag"), last_modified=answer.headers.get("Last-Modified")
    )


def _reason(error: BaseException) -> str:
    """Return the innermost cause: the libraries' wrappers say nothing to a user."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, IncompleteRead):
        return "the connection ended too early"
    words = str(getattr(error, "strerror", None) or error).split()
    return " ".join(words) or type(error).__name__


def watched(call: Callable[[], T], tick: Callable[[], None]) -> T:
    """Return what a blocking call returns, or raise what it raises.

    tick is called before it and twice a second during it. If tick raises, the call is abandoned
    in its thread, and its result is dropped.
    """
    tick()
    future = in_background(call)
    while not wait([future], CHECK_SECONDS).done:
        tick()
    return future.result()
