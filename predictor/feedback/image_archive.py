"""Archives images with their predictions for review, if the operator allows it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from predictor.feedback.sqlite import open_sqlite
from predictor.requests.images import PredictRequest
from predictor.requests.memory import ARCHIVE_BYTES
from predictor.settings import PredictorSettings
from predictor.telemetry.request_stats import RequestStats
from shared.errors import NotFoundError, ReadsmithError

log = logging.getLogger("readsmith.predictor")

FLUSH_SECONDS = 0.1
"""Interval at which new images are written: no request waits for a disk, or wakes a thread."""
PRUNE_SECONDS = 60.0
"""Interval at which old images are deleted while there are no new ones."""

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
    """An image and its prediction; version is None if the starter made it."""

    request_id: str
    position: int
    """Among the images of its request, from 0."""
    model: str
    """The model that its correction belongs to."""
    version: int | None
    text: str | None
    confidence: float
    created: float
    """Seconds since 1970."""
    image: bytes

    @property
    def id(self) -> str:
        """The image's id in URLs."""
        return f"{self.request_id}.{self.position}"


# As in the files of the first release, which an update must still open.
_OLD_NAMES: Final = {"position": "place", "image": "picture"}
COLUMNS = tuple(_OLD_NAMES.get(field, field) for field in ArchivedImage._fields)
"""The columns of the fields, in the same order."""


class ImageArchive:
    """The newest images within limits of count, size and age; shared by all workers."""

    def __init__(self, settings: PredictorSettings) -> None:
        assert settings.image_archive is not None, "the image archive is off"  # noqa: S101
        self._open = partial(open_sqlite, settings.image_archive / FILE, SCHEMA)
        self._settings = settings
        self._buffer: deque[ArchivedImage] = deque()
        self._buffered_bytes = 0
        self._lock = threading.Lock()
        self._pruned = 0.0

    def start(self) -> None:
        """Start the thread that writes added images; call it after the fork."""
        threading.Thread(target=self._run, name="image archive", daemon=True).start()

    def add(self, images: Iterable[ArchivedImage]) -> None:
        """Buffer images to be written soon; an image with a known id replaces the earlier one."""
        for one in images:
            size = len(one.image)
            with self._lock:
                # Dropped, not waited for: a slow disk must not delay predictions.
                if self._buffered_bytes + size > ARCHIVE_BYTES:
                    return
                self._buffered_bytes += size
                self._buffer.append(one)

    def flush(self) -> None:
        """Write the buffered images, and delete those beyond the limits.

        Raises StorageError; the buffered images are lost then.
        """
        with self._lock:
            new, self._buffer, self._buffered_bytes = self._buffer, deque(), 0
        if not new and time.monotonic() < self._pruned + PRUNE_SECONDS:
            return
        self._pruned = time.monotonic()
        with self._open() as database:
            columns = ", ".join((*COLUMNS, "id", "size"))
            placeholders = ", ".join("?" * (len(COLUMNS) + 2))
            database.executemany(
                f"REPLACE INTO kept ({columns}) VALUES ({placeholders})",  # noqa: S608
                [(*one, one.id, len(one.image)) for one in new],
            )
            limits = {
                "oldest": time.time() - self._settings.image_archive_days * 86_400,
                "count": self._settings.image_archive_count,
                "bytes": self._settings.image_archive_bytes,
            }
            database.execute(OUTSIDE_THE_LIMITS, limits)

    def least_confident(self, model: str | None, limit: int) -> tuple[list[ArchivedImage], int]:
        """Return images that nobody has reviewed, least confident first, and the count of all.

        Their bytes are left out. model: only those of this model. Raises StorageError.
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
            # A client may send feedback at once, and another worker has the image in its buffer.
            time.sleep(2 * FLUSH_SECONDS)
            found = self._find(image_id)
        if found is None:
            raise _not_found(image_id)
        return found

    def mark_done(self, image_id: str) -> None:
        """Remove an image from the review queue; it can still be corrected until it is deleted."""
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

    def _run(self) -> None:
        while True:
            try:
                self.flush()
            except ReadsmithError as error:
                log.error("Images are not archived. %s", error.message)
            time.sleep(FLUSH_SECONDS)


def _not_found(image_id: str) -> ReadsmithError:
    return NotFoundError(
        "image_not_found",
        f"No image {image_id[:100]} is in the archive.",
        "It may have been deleted, also because of its age; GET /review lists those to review.",
    )


def to_archive(
    requested: PredictRequest,
    answers: Sequence[dict[str, Any]],
    stats: RequestStats,
    learning: str,
) -> Iterator[ArchivedImage]:
    """Yield the images of a request that have a prediction.

    learning: the model that may be trained on them.
    """
    now = time.time()
    for position, (upload, answer) in enumerate(zip(requested.uploads, answers, strict=True)):
        if isinstance(upload.data, bytes) and "text" in answer:
            text, confidence = answer["text"], answer["confidence"]
            version = stats.version if stats.model == learning else None
            yield ArchivedImage(
                stats.request_id, position, learning, version, text, confidence, now, upload.data
            )
