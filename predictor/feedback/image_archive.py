"""Keeps answered images with their predictions for a look, where the operator allows it."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from predictor.feedback.sqlite import open_sqlite
from predictor.requests.images import PredictRequest
from predictor.settings import PredictorSettings
from predictor.telemetry.request_stats import RequestStats
from shared.errors import NotFoundError, ReadsmithError
from shared.store.builtin import STARTER

log = logging.getLogger("readsmith.predictor")

PAUSE_SECONDS = 0.1
"""Between two looks for new images; a request must not wait for a disk, nor wake a thread."""
PRUNE_SECONDS = 60.0
"""Between two looks for old images while there are no new ones."""
MOST_WAITING_BYTES = 32_000_000
"""Of images that are not written yet; what comes while there are so many is not kept."""

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


class ArchivedImage(NamedTuple):
    """An image and how it was read; version is None if the starter read it."""

    request_id: str
    place: int
    """Among the images of its request."""
    model: str
    """Whose corrections it would belong to."""
    version: int | None
    text: str | None
    confidence: float
    created: float
    """Seconds since 1970."""
    image: bytes

    @property
    def id(self) -> str:
        """What names it in addresses."""
        return f"{self.request_id}.{self.place}"


COLUMNS = (*ArchivedImage._fields[:-1], "picture")
"""Of the fields, in their order; the last is named as in the files of the first release."""


class ImageArchive:
    """The newest images within the limits of number, size and age; shared by all workers."""

    def __init__(self, settings: PredictorSettings) -> None:
        assert settings.image_archive is not None, "nothing is to be kept"  # noqa: S101
        self._path = settings.image_archive / FILE
        self._days = settings.image_archive_days
        self._limits = {
            "count": settings.image_archive_count,
            "bytes": settings.image_archive_bytes,
        }
        self._waiting: deque[ArchivedImage] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._pruned = 0.0

    def start(self) -> None:
        """Begin to write what is added, in a thread; call it after the fork."""
        threading.Thread(target=self._run, name="kept images", daemon=True).start()

    def add(self, images: Iterable[ArchivedImage]) -> None:
        """Take images to be written soon; those of a request id that is known replace it."""
        for one in images:
            size = len(one.image)
            with self._lock:
                if self._waiting_bytes + size > MOST_WAITING_BYTES:
                    return
                self._waiting_bytes += size
                self._waiting.append(one)

    def flush(self) -> None:
        """Write what waits, and delete what the limits no longer allow.

        Raises StorageError; what waited is lost then.
        """
        with self._lock:
            new, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        if not new and time.monotonic() < self._pruned + PRUNE_SECONDS:
            return
        self._pruned = time.monotonic()
        with self._open() as database:
            columns = ", ".join((*COLUMNS, "id", "size"))
            places = ", ".join("?" * (len(COLUMNS) + 2))
            database.executemany(
                f"REPLACE INTO kept ({columns}) VALUES ({places})",  # noqa: S608
                [(*one, one.id, len(one.image)) for one in new],
            )
            oldest = time.time() - self._days * 86_400
            database.execute(OUTSIDE_THE_LIMITS, {"oldest": oldest, **self._limits})

    def least_confident(self, model: str | None, limit: int) -> tuple[list[ArchivedImage], int]:
        """Return images that nobody has looked at, without their bytes, and how many there are.

        model: of this one only. Raises StorageError.
        """
        self.flush()
        where = "FROM kept WHERE done = 0 AND model = coalesce(?, model)"
        names = ", ".join((*COLUMNS[:-1], "x''"))
        with self._open() as database:
            rows = database.execute(
                f"SELECT {names} {where} ORDER BY confidence, created LIMIT ?",
                (model, limit),
            ).fetchall()
            (count,) = database.execute(f"SELECT count(*) {where}", (model,)).fetchone()
        return [ArchivedImage(*row) for row in rows], count

    def get(self, image_id: str) -> ArchivedImage:
        """Return an image; raises NotFoundError or StorageError."""
        self.flush()
        found = self._find(image_id)
        if found is None:
            time.sleep(2 * PAUSE_SECONDS)  # another worker may be about to write it
            found = self._find(image_id)
        if found is None:
            raise _not_found(image_id)
        return found

    def mark_done(self, image_id: str) -> None:
        """Take an image off the queue; until it gets old it can still be corrected."""
        with self._open() as database:
            database.execute("UPDATE kept SET done = 1 WHERE id = ?", (image_id,))

    def remove(self, image_id: str) -> None:
        """Delete an image; raises NotFoundError or StorageError."""
        self.flush()
        with self._open() as database:
            found = database.execute("DELETE FROM kept WHERE id = ?", (image_id,)).rowcount
        if not found:
            raise _not_found(image_id)

    def _find(self, image_id: str) -> ArchivedImage | None:
        query = f"SELECT {', '.join(COLUMNS)} FROM kept WHERE id = ?"  # noqa: S608
        with self._open() as database:
            row = database.execute(query, (image_id,)).fetchone()
        return row and ArchivedImage(*row)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_sqlite(self._path, SCHEMA)

    def _run(self) -> None:
        while True:
            try:
                self.flush()
            except ReadsmithError as error:
                log.error("Images are not kept. %s", error.message)
            time.sleep(PAUSE_SECONDS)


def _not_found(image_id: str) -> ReadsmithError:
    return NotFoundError(
        "image_not_found",
        f"No image {image_id[:100]} is kept.",
        "It may have been deleted or have become too old; GET /review lists those that wait.",
    )


def to_archive(
    requested: PredictRequest,
    answers: Sequence[dict[str, Any]],
    stats: RequestStats,
    default_model: str,
) -> Iterator[ArchivedImage]:
    """Yield the images of a request that were read.

    Those that the starter read belong to the default model: the starter is never trained.
    """
    starter = stats.model == STARTER
    model = default_model if starter else str(stats.model)
    now = time.time()
    for place, (upload, answer) in enumerate(zip(requested.uploads, answers, strict=True)):
        if isinstance(upload.data, bytes) and "text" in answer:
            text, confidence = answer["text"], answer["confidence"]
            version = None if starter else stats.version
            yield ArchivedImage(
                stats.request_id, place, model, version, text, confidence, now, upload.data
            )
