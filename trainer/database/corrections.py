"""Corrections: labels that people gave to images, a growing dataset for each model."""

import csv
import hashlib
import io
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from shared.api.datasets import Correction, CorrectionPage
from shared.errors import NoRoomError, NotFoundError, ReadsmithError
from shared.texts import csv_cell, require_printable
from trainer.database.pages import page_of, reading_rows
from trainer.database.rows import moment
from trainer.database.tables import Database, corrections, now, serialize_writers
from trainer.files.shared_files import CORRECTIONS, SharedFiles
from trainer.schemas.job_request import Label
from trainer.settings import Settings

MAX_CORRECTIONS = 100_000
"""Most corrections of one model."""
MAX_IMAGE_BYTES = 10_000_000
"""The predictor's default limit."""


class NewCorrection(BaseModel):
    """The correct text of an image, and its prediction if there was one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Label
    """The correct text."""
    read: Annotated[str, Field(max_length=1000), AfterValidator(require_printable)] | None = None
    """The predicted text."""
    confidence: float | None = Field(None, ge=0, le=1)
    version: int | None = Field(None, ge=1, lt=2**31)
    """The version that predicted it."""
    source: Annotated[str, Field(max_length=64), AfterValidator(require_printable)] | None = None
    """Where the correction was made, for example "dashboard"."""


class Corrections:
    """The corrections of all models: rows in the database, images in the shared files.

    max_bytes: limit of all images together.
    """

    def __init__(self, database: Database, files: SharedFiles, *, max_bytes: int) -> None:
        self._database = database
        self._files = files
        self._max_bytes = max_bytes

    def save(
        self, model: str, image: bytes, ending: str, new: NewCorrection
    ) -> tuple[Correction, bool]:
        """Store a correction, in place of an earlier one of the same image.

        image: a file that open_image accepts; ending: its format. Returns the correction and
        whether it is new. Raises ReadsmithError corrections_full.
        """
        sha256 = hashlib.sha256(image).hexdigest()
        known = (corrections.c.model == model) & (corrections.c.sha256 == sha256)
        with self._database.writing.begin() as connection:
            serialize_writers(connection)
            values = new.model_dump(include=set(NewCorrection.model_fields))
            changed = connection.execute(update(corrections).where(known).values(**values)).rowcount
            if not changed:
                self._require_room(connection, model, len(image))
                values |= {"id": f"correction-{uuid.uuid4().hex}", "model": model}
                values |= {"sha256": sha256, "ending": ending, "bytes": len(image)}
                connection.execute(insert(corrections).values(created_at=now(), **values))
            row = connection.execute(select(corrections).where(known)).one()
            # Before the commit: a row whose image is missing would be lost from every dataset.
            if not self._files.names(name := _name(row)):
                self._files.write(image, name)
        return _correction_of(row), not changed

    def page(self, model: str, limit: int, after: str | None = None) -> CorrectionPage:
        """Return the corrections older than `after`, newest first.

        Raises ReadsmithError correction_not_found.
        """
        ours = corrections.c.model == model
        query = select(corrections).where(ours).order_by(corrections.c.number.desc())
        with self._database.reading.begin() as connection:
            if after is not None:
                query = query.where(corrections.c.number < _find(connection, model, after).number)
            with reading_rows(connection, query.limit(limit + 1)) as rows:
                data, has_more = page_of(rows, limit, _correction_of)
            count = connection.scalar(select(func.count()).where(ours)) or 0
        return CorrectionPage(data=data, count=count, has_more=has_more)

    def get(self, model: str, correction_id: str) -> Correction:
        """Return a correction; raises ReadsmithError correction_not_found."""
        with self._database.reading.begin() as connection:
            return _correction_of(_find(connection, model, correction_id))

    def image(self, model: str, correction_id: str) -> bytes:
        """Return the image file as it was sent; raises ReadsmithError correction_not_found."""
        with self._database.reading.begin() as connection:
            row = _find(connection, model, correction_id)
        image = self._files.read(_name(row))
        if image is None:
            raise _not_found(model, correction_id)
        return image

    def change(self, model: str, correction_id: str, text: str) -> Correction:
        """Change the text; raises ReadsmithError correction_not_found."""
        with self._database.writing.begin() as connection:
            row = _find(connection, model, correction_id)
            changed = update(corrections).where(corrections.c.id == row.id).values(text=text)
            connection.execute(changed)
            return _correction_of(_find(connection, model, correction_id))

    def remove(self, model: str, correction_id: str) -> None:
        """Delete a correction and its image; raises ReadsmithError correction_not_found."""
        with self._database.writing.begin() as connection:
            serialize_writers(connection)
            row = _find(connection, model, correction_id)
            self._files.remove(_name(row))
            connection.execute(delete(corrections).where(corrections.c.id == row.id))

    def files(self, model: str) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of each file of the model's dataset, oldest correction first."""
        ours = corrections.c.model == model
        with self._database.reading.begin() as connection:
            rows = connection.execute(select(corrections).where(ours).order_by("number")).all()
        labels = io.StringIO()
        table = csv.writer(labels, lineterminator="\n")
        table.writerow(["filename", "text"])
        for row in rows:
            name = _name(row)
            image = self._files.read(name)
            if image is None:
                continue  # deleted meanwhile
            file = PurePosixPath(name).name
            yield file, image
            table.writerow([file, csv_cell(row.text)])
        yield "labels.csv", labels.getvalue().encode()

    def write_zip(self, model: str, path: Path) -> None:
        """Write the model's dataset as a zip, atomically."""
        aside = path.with_name(f"{path.name}.part")
        with zipfile.ZipFile(aside, "w") as archive:
            for name, data in self.files(model):
                archive.writestr(name, data)
        aside.replace(path)

    def _require_room(self, connection: Connection, model: str, size: int) -> None:
        count = select(func.count()).where(corrections.c.model == model)
        if (connection.scalar(count) or 0) >= MAX_CORRECTIONS:
            raise _full(f"model {model} has {MAX_CORRECTIONS:,} corrections")
        stored = connection.scalar(select(func.sum(corrections.c.bytes))) or 0
        if stored + size > self._max_bytes:
            raise _full(f"the limit of all images of corrections is {self._max_bytes:,} bytes")


def _name(row: Row[Any]) -> str:
    return f"{CORRECTIONS}/{row.model}/{row.sha256}.{row.ending}"


def _find(connection: Connection, model: str, correction_id: str) -> Row[Any]:
    wanted = (corrections.c.id == correction_id) & (corrections.c.model == model)
    row = connection.execute(select(corrections).where(wanted)).one_or_none()
    if row is None:
        raise _not_found(model, correction_id)
    return row


def _not_found(model: str, correction_id: str) -> ReadsmithError:
    return NotFoundError(
        "correction_not_found",
        f"Model {model} has no correction {correction_id[:100]}.",
        f"GET /models/{model}/corrections lists the existing ones.",
    )


def _correction_of(row: Row[Any]) -> Correction:
    return Correction(
        **{name: getattr(row, name) for name in Correction.model_fields if name in row._fields}
        | {
            "created_at": moment(row.created_at),
            "image": f"/models/{row.model}/corrections/{row.id}/image",
        }
    )


def _full(why: str) -> ReadsmithError:
    return NoRoomError(
        "corrections_full",
        f"There is no room for another correction: {why}.",
        "Delete some, or raise READSMITH_MAX_CORRECTIONS_BYTES.",
    )


def save_corrections(settings: Settings, model: str, path: Path) -> None:
    """Write a model's corrections as a zip, without a service; raises ReadsmithError."""
    database = Database(settings.jobs_database, migrate=False)
    try:
        files, limit = settings.open_shared_files(), settings.max_corrections_bytes
        Corrections(database, files, max_bytes=limit).write_zip(model, path)
    finally:
        database.close()
