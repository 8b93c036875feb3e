"""Uploaded datasets, stored until they are deleted by a user or to make room for newer ones."""

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from shared.api.datasets import Upload, UploadPage
from shared.errors import BusyError, ConflictError, DatasetError, TooLargeError
from trainer.database.pages import page_of, reading_rows
from trainer.database.rows import dataset_not_found, datasets_in_use, find_dataset, moment
from trainer.database.tables import Database, datasets, now
from trainer.files.shared_files import UPLOADS, SharedFiles, upload_name
from trainer.pipeline.datasets.sources.compression import tar_opener
from trainer.pipeline.datasets.sources.shards import is_shard
from trainer.pipeline.datasets.sources.zip_file import open_zip
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

ABANDONED_SECONDS = 24 * 3600
"""Age at which a partial file cannot belong to a running request any more."""


class IncomingZip:
    """A zip that is being received; `write` raises ReadsmithError upload_too_large."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.bytes = 0
        self._limit = limit
        self._file = path.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append to the file."""
        self.bytes += len(data)
        if self.bytes > self._limit:
            raise TooLargeError(
                "upload_too_large",
                f"The zip has more than {self._limit} bytes.",
                "Send fewer images, or raise READSMITH_MAX_UPLOAD_BYTES.",
            )
        self._file.write(data)
        self._digest.update(data)

    def close(self) -> str:
        """Flush to the disk and return the SHA-256; idempotent."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digest.hexdigest()


class Uploads:
    """The uploads: rows in the database, zips in the shared files.

    folder: where zips are received. max_stored_bytes: limit of all together, including those being
    received; the oldest that no queued or running job needs are deleted for a new one.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        files: SharedFiles,
        *,
        max_bytes: int,
        max_stored_bytes: int,
        limits: DatasetLimits = DEFAULT_LIMITS,
    ) -> None:
        self._database = database
        self._folder = folder
        self._files = files
        self._max_bytes = max_bytes
        self._max_stored_bytes = max_stored_bytes
        self._limits = limits
        self._incoming_bytes = 0
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def incoming(self, announced: int | None = None) -> Iterator[IncomingZip]:
        """Open a file to receive a zip in; it is deleted at the end unless it was saved.

        announced: Content-Length of the request, if it has one. Raises ReadsmithError uploads_full.
        """
        size = self._max_bytes if announced is None else min(announced, self._max_bytes)
        with self._room_for(size):
            incoming = IncomingZip(self._folder / f"{uuid.uuid4().hex}.part", self._max_bytes)
            try:
                yield incoming
            finally:
                incoming.path.unlink(missing_ok=True)
                incoming.close()

    def save(self, incoming: IncomingZip) -> Upload:
        """Store a received zip or tar as a dataset; raises ReadsmithError dataset_not_a_zip."""
        sha256 = incoming.close()
        _require_set(incoming.path, self._limits)
        upload_id = f"dataset-{uuid.uuid4().hex}"
        values = {"id": upload_id, "bytes": incoming.bytes, "sha256": sha256}
        with self._database.writing.begin() as connection:
            connection.execute(insert(datasets).values(created_at=now(), **values))
        # The row first: a row without its file is deleted one day to make room, a file without a
        # row would never be.
        self._files.save(incoming.path, upload_name(upload_id))
        return self.get(upload_id)

    def get(self, upload_id: str) -> Upload:
        """Return an upload; raises ReadsmithError dataset_not_found."""
        with self._database.reading.begin() as connection:
            row = find_dataset(connection, upload_id)
        if not self._files.names(upload_name(upload_id)):
            raise dataset_not_found(upload_id)
        return _upload_of(row)

    def page(self, limit: int, after: str | None = None) -> UploadPage:
        """Return the uploads whose zip exists that are older than `after`, newest first.

        Raises ReadsmithError dataset_not_found.
        """
        query = select(datasets).order_by(datasets.c.created_at.desc(), datasets.c.id.desc())
        stored = self._files.names(UPLOADS)
        with self._database.reading.begin() as connection:
            if after is not None:
                last = find_dataset(connection, after)
                place = tuple_(datasets.c.created_at, datasets.c.id)
                query = query.where(place < tuple_(last.created_at, last.id))
            with reading_rows(connection, query) as rows:
                there = (row for row in rows if upload_name(row.id) in stored)
                data, has_more = page_of(there, limit, _upload_of)
        return UploadPage(data=data, has_more=has_more)

    def remove(self, upload_id: str) -> None:
        """Delete an upload; raises ReadsmithError dataset_not_found or dataset_in_use."""
        with self._database.writing.begin() as connection:
            find_dataset(connection, upload_id, lock=True)
            if upload_id in datasets_in_use(connection):
                raise ConflictError(
                    "dataset_in_use",
                    f"A queued or running job needs dataset {upload_id}.",
                    "Delete it when the job is over, or cancel the job first.",
                )
            self._delete(connection, upload_id)

    @contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        # Reserved before the first byte: concurrent uploads must not exceed the limit together.
        with self._lock:
            self._remove_abandoned()
            self._make_room(self._incoming_bytes + size)
            self._incoming_bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._incoming_bytes -= size

    def _make_room(self, size: int) -> None:
        with self._database.writing.begin() as connection:
            oldest_first = select(datasets).order_by(datasets.c.created_at).with_for_update()
            rows = connection.execute(oldest_first).all()
            in_use = datasets_in_use(connection)
            if sum(row.bytes for row in rows if row.id in in_use) + size > self._max_stored_bytes:
                raise BusyError(
                    "uploads_full",
                    f"There is no room for this zip: the limit of all uploads is "
                    f"{self._max_stored_bytes:,} bytes, and queued and running jobs need those "
                    "that are stored.",
                    "Try again when a job has ended, or raise READSMITH_MAX_STORED_UPLOAD_BYTES.",
                )
            excess = sum(row.bytes for row in rows) + size - self._max_stored_bytes
            for row in rows:
                if excess > 0 and row.id not in in_use:
                    self._delete(connection, row.id)
                    excess -= row.bytes

    def _delete(self, connection: Connection, upload_id: str) -> None:
        self._files.remove(upload_name(upload_id))
        connection.execute(delete(datasets).where(datasets.c.id == upload_id))

    def _remove_abandoned(self) -> None:
        """Delete partial files that a killed trainer left behind."""
        for part in self._folder.glob("*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    part.unlink()


def _upload_of(row: Row[Any]) -> Upload:
    return Upload(id=row.id, bytes=row.bytes, sha256=row.sha256, created_at=moment(row.created_at))


def _require_set(path: Path, limits: DatasetLimits) -> None:
    # A tar has no directory: its entries are checked when they are read.
    if is_shard(path) or tar_opener(path) is not None:
        return
    if all(entry.is_dir() for entry in open_zip(path, limits).infolist()):
        raise DatasetError(
            "dataset_not_a_zip", "The zip holds no file.", "Send a zip or a tar of images."
        )
