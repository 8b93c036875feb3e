"""Keeps answered pictures with their readings for a look, where the operator allows it."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from predictor.feedback.sqlite import own_database
from predictor.requests.images import Question
from predictor.settings import PredictorSettings
from predictor.telemetry.request_stats import Notes
from shared.errors import ReadsmithError
from shared.store.builtin import STARTER

log = logging.getLogger("readsmith.predictor")

PAUSE_SECONDS = 0.1
"""Between two looks for new pictures; a request must not wait for a disk, nor wake a thread."""
PRUNE_SECONDS = 60.0
"""Between two looks for old pictures while there are no new ones."""
MOST_WAITING_BYTES = 32_000_000
"""Of pictures that are not written yet; what comes while there are so many is not kept."""

FILE: Final = "kept.sqlite"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS kept (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    model TEXT NOT NULL,
    version INTEGER,
    text TEXT,
    confidence REAL NOT NULL,
    created REAL NOT NULL,
    size INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    picture BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_age ON kept (created, size);
CREATE INDEX IF NOT EXISTS by_confidence ON kept (done, model, confidence);
"""
OUTSIDE_THE_LIMITS: Final = """
DELETE FROM kept WHERE created <= max(
    :oldest,
    coalesce((SELECT created FROM kept ORDER BY created DESC LIMIT 1 OFFSET :count), 0),
    coalesce((
        SELECT max(created) FROM (
            SELECT created, sum(size) OVER (ORDER BY created DESC) AS together FROM kept
        ) WHERE together > :bytes
    ), 0)
)
"""


class KeptPicture(NamedTuple):
    """A picture and how it was read; version is None if the starter read it."""

    request_id: str
    place: int
    """Among the pictures of its request."""
    model: str
    """Whose corrections it would belong to."""
    version: int | None
    text: str | None
    confidence: float
    created: float
    """Seconds since 1970."""
    picture: bytes

    @property
    def id(self) -> str:
        """What names it in addresses."""
        return f"{self.request_id}.{self.place}"


class KeptPictures:
    """The newest pictures within the limits of number, size and age; shared by all workers."""

    def __init__(self, settings: PredictorSettings) -> None:
        assert settings.keep_pictures is not None, "nothing is to be kept"  # noqa: S101
        self._path = settings.keep_pictures / FILE
        self._days = settings.keep_pictures_days
        self._limits = {
            "count": settings.keep_pictures_count,
            "bytes": settings.keep_pictures_bytes,
        }
        self._waiting: deque[KeptPicture] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._pruned = 0.0

    def start(self) -> None:
        """Begin to write what is added, in a thread; call it after the fork."""
        threading.Thread(target=self._run, name="kept pictures", daemon=True).start()

    def add(self, pictures: Iterable[KeptPicture]) -> None:
        """Take pictures to be written soon; those of a request id that is known replace it."""
        for one in pictures:
            size = len(one.picture)
            with self._lock:
                if self._waiting_bytes + size > MOST_WAITING_BYTES:
                    return
                self._waiting_bytes += size
                self._waiting.append(one)

    def flush(self) -> None:
        """Write what waits, and delete what the limits no longer allow.

        Raises ReadsmithError storage_failed; what waited is lost then.
        """
        with self._lock:
            new, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        if not new and time.monotonic() < self._pruned + PRUNE_SECONDS:
            return
        self._pruned = time.monotonic()
        with self._open() as database:
            columns = ", ".join((*KeptPicture._fields, "id", "size"))
            places = ", ".join("?" * (len(KeptPicture._fields) + 2))
            database.executemany(
                f"REPLACE INTO kept ({columns}) VALUES ({places})",  # noqa: S608
                [(*one, one.id, len(one.picture)) for one in new],
            )
            oldest = time.time() - self._days * 86_400
            database.execute(OUTSIDE_THE_LIMITS, {"oldest": oldest, **self._limits})

    def least_sure(self, model: str | None, limit: int) -> tuple[list[KeptPicture], int]:
        """Return pictures that nobody has looked at, without their bytes, and how many there are.

        model: of this one only. Raises ReadsmithError storage_failed.
        """
        self.flush()
        where = "FROM kept WHERE done = 0 AND model = coalesce(?, model)"
        names = ", ".join((*KeptPicture._fields[:-1], "x''"))
        with self._open() as database:
            rows = database.execute(
                f"SELECT {names} {where} ORDER BY confidence, created LIMIT ?",
                (model, limit),
            ).fetchall()
            (count,) = database.execute(f"SELECT count(*) {where}", (model,)).fetchone()
        return [KeptPicture(*row) for row in rows], count

    def get(self, picture_id: str) -> KeptPicture:
        """Return a picture; raises ReadsmithError picture_not_found or storage_failed."""
        self.flush()
        found = self._find(picture_id)
        if found is None:
            time.sleep(2 * PAUSE_SECONDS)  # another worker may be about to write it
            found = self._find(picture_id)
        if found is None:
            raise _not_found(picture_id)
        return found

    def mark_done(self, picture_id: str) -> None:
        """Take a picture off the queue; until it gets old it can still be corrected."""
        with self._open() as database:
            database.execute("UPDATE kept SET done = 1 WHERE id = ?", (picture_id,))

    def remove(self, picture_id: str) -> None:
        """Delete a picture; raises ReadsmithError picture_not_found or storage_failed."""
        self.flush()
        with self._open() as database:
            found = database.execute("DELETE FROM kept WHERE id = ?", (picture_id,)).rowcount
        if not found:
            raise _not_found(picture_id)

    def _find(self, picture_id: str) -> KeptPicture | None:
        query = f"SELECT {', '.join(KeptPicture._fields)} FROM kept WHERE id = ?"  # noqa: S608
        with self._open() as database:
            row = database.execute(query, (picture_id,)).fetchone()
        return row and KeptPicture(*row)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return own_database(self._path, SCHEMA)

    def _run(self) -> None:
        while True:
            try:
                self.flush()
            except ReadsmithError as error:
                log.error("Pictures are not kept. %s", error.message)
            time.sleep(PAUSE_SECONDS)


def _not_found(picture_id: str) -> ReadsmithError:
    return ReadsmithError(
        "picture_not_found",
        f"No picture {picture_id[:100]} is kept.",
        "It may have been deleted or have become too old; GET /review lists those that wait.",
    )


def as_kept(
    question: Question, answers: Sequence[dict[str, Any]], notes: Notes, default_model: str
) -> Iterator[KeptPicture]:
    """Yield the pictures of a request that were read.

    Those that the starter read belong to the default model: the starter is never trained.
    """
    starter = notes.model == STARTER
    model = default_model if starter else str(notes.model)
    now = time.time()
    for place, (upload, answer) in enumerate(zip(question.uploads, answers, strict=True)):
        if isinstance(upload.data, bytes) and "text" in answer:
            text, confidence = answer["text"], answer["confidence"]
            version = None if starter else notes.version
            yield KeptPicture(
                notes.request_id, place, model, version, text, confidence, now, upload.data
            )
