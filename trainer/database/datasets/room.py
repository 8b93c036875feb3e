"""The room that all datasets share: uploads give way to newer ones, living datasets to nothing."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from shared.errors import BusyError, NoRoomError, ReadsmithError
from trainer.database.rows import datasets_in_use
from trainer.database.tables import Database, datasets
from trainer.files.shared_files import SharedFiles, dataset_folder, upload_name


class DatasetRoom:
    """max_bytes: limit of all datasets together, those being received included."""

    def __init__(self, database: Database, files: SharedFiles, max_bytes: int) -> None:
        self._database = database
        self._files = files
        self._max_bytes = max_bytes
        self._incoming_bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Hold so many bytes while they are received and stored.

        The oldest uploads that no queued or running job needs are deleted for them. Raises
        ReadsmithError uploads_full or datasets_full.
        """
        # Reserved before the first byte: concurrent uploads must not exceed the limit together.
        with self._lock:
            self._make(self._incoming_bytes + size)
            self._incoming_bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._incoming_bytes -= size

    def remove_upload(self, connection: Connection, dataset_id: str) -> None:
        """Delete an upload, or what is left of an import that was cut off: its file and its row."""
        self._files.remove(upload_name(dataset_id))
        self._files.remove(dataset_folder(dataset_id))
        connection.execute(delete(datasets).where(datasets.c.id == dataset_id))

    def _make(self, size: int) -> None:
        with self._database.reading.begin() as connection:
            stored = connection.scalars(select(datasets.c.bytes)).all()
        if sum(stored) + size <= self._max_bytes:
            return  # without the lock that writers wait for
        with self._database.writing.begin() as connection:
            oldest_first = select(datasets).order_by(datasets.c.created_at).with_for_update()
            rows = connection.execute(oldest_first).all()
            in_use = datasets_in_use(connection)
            uploads = [row for row in rows if row.version is None and row.id not in in_use]
            excess = sum(row.bytes for row in rows) + size - self._max_bytes
            if sum(row.bytes for row in uploads) < excess:
                raise self._full(rows, size)
            for row in uploads:
                if excess > 0:
                    self.remove_upload(connection, row.id)
                    excess -= row.bytes

    def _full(self, rows: Sequence[Row[Any]], size: int) -> ReadsmithError:
        living = sum(row.bytes for row in rows if row.version is not None)
        limit = f"the limit of all datasets is {self._max_bytes:,} bytes"
        if size <= self._max_bytes < living + size:
            return NoRoomError(
                "datasets_full",
                f"There is no room for these images: {limit}, and living datasets, which are never "
                f"deleted to make room, have {living:,}.",
                "Delete one that is not needed, or raise READSMITH_MAX_STORED_UPLOAD_BYTES.",
            )
        return BusyError(
            "uploads_full",
            f"There is no room for this zip: {limit}, and queued and running jobs need those that "
            "are stored.",
            "Try again when a job has ended, or raise READSMITH_MAX_STORED_UPLOAD_BYTES.",
        )
