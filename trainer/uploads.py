"""Zips that users send, kept until a job uses them."""

import hashlib
import os
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field
from sqlalchemy import insert, select

from shared.errors import ReadsmithError
from trainer.database import Database, datasets, now
from trainer.job_rows import moment

ABANDONED_SECONDS = 24 * 3600


class Upload(BaseModel):
    """A zip that was received whole."""

    id: str = Field(examples=["dataset-0123456789abcdef0123456789abcdef"])
    bytes: int
    sha256: str
    created_at: datetime


class IncomingZip:
    """A zip while it arrives; `write` raises ReadsmithError upload_too_large."""

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
            raise ReadsmithError(
                "upload_too_large",
                f"The zip has more than {self._limit} bytes.",
                "Send fewer images, or raise READSMITH_MAX_UPLOAD_BYTES.",
            )
        self._file.write(data)
        self._digest.update(data)

    def close(self) -> str:
        """Flush to the disk; return the SHA-256. Closing twice is fine."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digest.hexdigest()


class Uploads:
    """The folder of received zips, and what the database says of each."""

    def __init__(self, database: Database, folder: Path, limit: int) -> None:
        self._database = database
        self._folder = folder
        self._limit = limit
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*.part"):
            if part.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                part.unlink(missing_ok=True)

    @contextmanager
    def incoming(self) -> Iterator[IncomingZip]:
        """Open a file for a zip to arrive in; what is not kept is deleted at the end."""
        incoming = IncomingZip(self._folder / f"{uuid.uuid4().hex}.part", self._limit)
        try:
            yield incoming
        finally:
            incoming.path.unlink(missing_ok=True)
            incoming.close()

    def keep(self, incoming: IncomingZip) -> Upload:
        """Make a dataset of a zip that has arrived; raises ReadsmithError not_a_zip."""
        sha256 = incoming.close()
        _require_zip(incoming.path)
        upload_id = f"dataset-{uuid.uuid4().hex}"
        incoming.path.rename(self._folder / f"{upload_id}.zip")
        values = {"id": upload_id, "bytes": incoming.bytes, "sha256": sha256}
        with self._database.writing.begin() as connection:
            connection.execute(insert(datasets).values(created_at=now(), **values))
        return self.get(upload_id)

    def get(self, upload_id: str) -> Upload:
        """Return what is known of an upload; raises ReadsmithError dataset_not_found."""
        with self._database.reading.begin() as connection:
            query = select(datasets).where(datasets.c.id == upload_id)
            row = connection.execute(query).one_or_none()
        if row is None or not (self._folder / f"{upload_id}.zip").is_file():
            raise ReadsmithError(
                "dataset_not_found",
                f"There is no dataset {upload_id}.",
                "POST /datasets takes a zip and answers with its id.",
            )
        return Upload(
            id=row.id, bytes=row.bytes, sha256=row.sha256, created_at=moment(row.created_at)
        )


def _require_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ReadsmithError(
            "not_a_zip", f"The file is not a zip: {error}.", "Send a zip of images."
        ) from None
    if not files:
        raise ReadsmithError("not_a_zip", "The zip holds no file.", "Send a zip of images.")
