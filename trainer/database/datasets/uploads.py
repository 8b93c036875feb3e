"""Uploaded datasets, stored until they are deleted by a user or to make room for newer ones."""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert

from shared.api.datasets import Upload
from shared.errors import ConflictError, DatasetError, TooLargeError
from trainer.database.datasets.room import DatasetRoom
from trainer.database.rows import dataset_not_found, datasets_in_use, find_dataset, moment
from trainer.database.tables import Database, datasets, now
from trainer.files.shared_files import SharedFiles, upload_name
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

    folder: where zips are received.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        files: SharedFiles,
        room: DatasetRoom,
        *,
        max_bytes: int,
        limits: DatasetLimits = DEFAULT_LIMITS,
    ) -> None:
        self._database = database
        self._folder = folder
        self._files = files
        self._max_bytes = max_bytes
        self._room = room
        self._limits = limits
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def incoming(self, announced: int | None = None) -> Iterator[IncomingZip]:
        """Open a file to receive a zip in; it is deleted at the end unless it was saved.

        announced: Content-Length of the request, if it has one. Raises ReadsmithError uploads_full
        or datasets_full.
        """
        size = self._max_bytes if announced is None else min(announced, self._max_bytes)
        self._remove_abandoned()
        with self._room.reserved(size):
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
        return upload_of(row)

    def remove(self, upload_id: str) -> None:
        """Delete an upload; raises ReadsmithError dataset_not_found or dataset_in_use."""
        with self._database.writing.begin() as connection:
            find_dataset(connection, upload_id, lock=True)
            require_unused(connection, upload_id)
            self._room.remove_upload(connection, upload_id)

    def _remove_abandoned(self) -> None:
        """Delete partial files that a killed trainer left behind."""
        for part in self._folder.glob("*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    part.unlink()


def upload_of(row: Row[Any]) -> Upload:
    """Return an upload as it is shown."""
    names = ("id", "name", "bytes", "sha256")
    values = {name: getattr(row, name) for name in names}
    return Upload(created_at=moment(row.created_at), **values)


def require_unused(connection: Connection, dataset_id: str) -> None:
    """Raise ReadsmithError dataset_in_use if a queued or running training needs a dataset."""
    if dataset_id in datasets_in_use(connection):
        raise ConflictError(
            "dataset_in_use",
            f"A queued or running job needs dataset {dataset_id}.",
            "Delete it when the job is over, or cancel the job first.",
        )


def _require_set(path: Path, limits: DatasetLimits) -> None:
    # A tar has no directory: its entries are checked when they are read.
    if is_shard(path) or tar_opener(path) is not None:
        return
    if all(entry.is_dir() for entry in open_zip(path, limits).infolist()):
        raise DatasetError(
            "dataset_not_a_zip", "The zip holds no file.", "Send a zip or a tar of images."
        )
