"""Reads the images that arrive in a folder, and writes down each once."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from readsmith.client import ServiceError
from readsmith.services.arrivals import Arrival, Arrivals
from readsmith.services.readers import Answer, Reader
from readsmith.services.readings_file import ReadingsFile, Row
from shared.atomic_files import read_small
from shared.errors import BundleError, FailedError, ReadsmithError

POLL_SECONDS = 0.5
REST = 4
"""Pauses are at least so many times as long as a look, which took 0.8 s for 20,000 files."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a predictor that is away is asked again: each time twice as long."""
PATIENCE_SECONDS = 10.0
"""For a file that cannot be opened: its permissions or its network share may come right."""
MAX_IMAGE_BYTES = 40_000_000
"""What a predictor takes unless it is set otherwise."""
AWAY = (None, 429, 502, 503, 504)
"""Statuses of a predictor, or of a gateway without one, that may answer later; None: nothing
answered."""
INTERNAL_ERROR = 500
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")

Doubt = tuple[str, str]
"""Why a text is not accepted: a stable name, and a sentence."""


class StopRequest:
    """Whether the watch is to end; a signal's handler may set it at any time."""

    requested = False

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; tell whether the watch is to end."""
        # Not an Event: its lock may be held by the very code that the signal interrupts.
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(0.1, left))
        return self.requested


@dataclass
class Plausibility:
    """What is expected of a text after the last accepted one, if it is a number.

    last: the number accepted last; None before the first.
    """

    increasing: bool
    max_step: Decimal | None
    last: Decimal | None = None

    def doubt(self, text: str) -> Doubt | None:
        """Return why a text cannot follow; None if it can, and is the last one from now on."""
        if not self.increasing and self.max_step is None:
            return None
        number = as_number(text)
        if number is None:
            return "not_a_number", "The text is no number."
        step = Decimal(0) if self.last is None else number - self.last
        if self.increasing and step < 0:
            return "below_last", f"It is less than the last accepted number, {self.last}."
        if self.max_step is not None and abs(step) > self.max_step:
            return "step_too_large", (
                f"It is {abs(step)} away from the last accepted number, {self.last}; at most "
                f"{self.max_step} is plausible."
            )
        self.last = number
        return None


def as_number(text: str | None) -> Decimal | None:
    """Return the number that a text is, with a point or a comma before decimals."""
    if text is None or not NUMBER.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


class FolderWatch:
    """Reads what arrives until it is told to stop.

    tell: called with each row that is written; warn: with a sentence when something does not work
    for now. counts: the rows written, by status.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        reader: Reader,
        readings: ReadingsFile,
        plausibility: Plausibility,
        *,
        tell: Callable[[Row], None],
        warn: Callable[[str], None],
    ) -> None:
        self._arrivals = arrivals
        self._reader = reader
        self._readings = readings
        self._plausibility = plausibility
        self._tell = tell
        self._warn = warn
        self._warned: dict[str, str | None] = {}
        self._unopened: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def run(self, stop: StopRequest) -> None:
        """Read until a stop is requested; the row in hand is finished.

        Raises ReadsmithError for what a predictor refuses whatever the image, and OSError if
        nothing more can be written.
        """
        while not stop.requested:
            began = time.monotonic()
            settled = self._arrivals.settled(self._readings.known)
            looked = time.monotonic() - began
            for arrival in settled:
                if stop.requested:
                    return
                row = self._row(arrival, stop)
                if row is not None:
                    self._readings.append(row)
                    self.counts[row["status"]] += 1
                    self._tell(row)
            self._note("folder", self._arrivals.problem)
            stop.wait(max(POLL_SECONDS, REST * looked))

    def _row(self, arrival: Arrival, stop: StopRequest) -> Row | None:
        """Return what to write about a file; None if nothing yet."""
        answer = self._read(arrival, stop)
        if answer is None:
            return None
        row: Row = {
            "file": arrival.name,
            "bytes": arrival.size,
            "modified": arrival.modified,
            "text": None,
            "confidence": None,
            "status": "unreadable",
            "model": None,
            "version": None,
            "read_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z",
        }
        if isinstance(answer, ReadsmithError):
            return row | {"reason": answer.code, "detail": answer.message}
        row |= {name: answer[name] for name in ("text", "confidence", "model", "version")}
        doubt = _doubt_of(answer) or self._plausibility.doubt(answer["text"])
        reason, detail = doubt or (None, None)
        status = "doubtful" if doubt else "accepted"
        return row | {"status": status, "reason": reason, "detail": detail}

    def _read(self, arrival: Arrival, stop: StopRequest) -> Answer | ReadsmithError | None:
        try:
            image = read_small(arrival.path, MAX_IMAGE_BYTES)
            if not arrival.unchanged:
                return None  # it comes again when it has settled
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._unopenable(arrival, error)
        self._unopened.pop(arrival.name, None)
        return self._answer(image, stop)

    def _answer(self, image: bytes, stop: StopRequest) -> Answer | ReadsmithError | None:
        """Return what is said about an image, however long a predictor is away; None: stopped."""
        wait = FIRST_WAIT
        while True:
            try:
                answer = next(iter(self._reader.read([image])))
            except BundleError as error:  # its graph takes too long on this image
                return error
            except ServiceError as error:
                if error.status == INTERNAL_ERROR:
                    return error
                if error.status not in AWAY:
                    raise
                self._note("predictor", f"{error.message} Trying again until Ctrl-C.")
            else:
                self._note("predictor", None)
                return answer
            if stop.wait(wait):
                return None
            wait = min(2 * wait, LONGEST_WAIT)

    def _unopenable(self, arrival: Arrival, error: OSError) -> ReadsmithError | None:
        """Return the error of a file that could not be opened for a while; None: try again."""
        since = self._unopened.setdefault(arrival.name, time.monotonic())
        if time.monotonic() - since < PATIENCE_SECONDS and arrival.size <= MAX_IMAGE_BYTES:
            return None
        del self._unopened[arrival.name]
        return FailedError(
            "unreadable_file",
            f"The file cannot be read: {error.strerror}.",
            "See that it is a file, and that this user may read it.",
        )

    def _note(self, about: str, problem: str | None) -> None:
        """Warn of a problem once as long as it lasts."""
        if problem is not None and problem != self._warned.get(about):
            self._warn(problem)
        self._warned[about] = problem


def _doubt_of(answer: Answer) -> Doubt | None:
    """Return why an answer is not accepted by itself."""
    if reason := answer.get("reason"):
        return reason["code"], reason["message"]
    if not answer["accepted"]:
        return "low_confidence", "The confidence is below the threshold."
    return None
