"""The images of living datasets: files in the shared files, rows in the database."""

import hashlib
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from shared.api.labelling import AddedImages, DatasetImage, ImagePage, ImageState, RejectedImage
from shared.errors import DatasetNotFoundError, ImageRejectedError, NotFoundError, ReadsmithError
from shared.recognition.preprocessing import format_and_size
from shared.texts import shown
from trainer.database.datasets.learnings import queue_learning
from trainer.database.datasets.living import living_row
from trainer.database.datasets.room import DatasetRoom
from trainer.database.pages import page_of, reading_rows
from trainer.database.rows import moment
from trainer.database.tables import Database, dataset_images, datasets
from trainer.files.shared_files import SharedFiles, dataset_folder, dataset_image_name
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.pipeline.datasets.sources.zip_file import too_many_files
from trainer.schemas.labelling import ImageOrder
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

MAX_NAME = 255
"""Characters of an image's name."""

_columns = dataset_images.c
_KEYS: dict[ImageOrder, tuple[str, ...]] = {
    "name": ("name", "number"),
    "random": ("sha256",),
    "informative": ("score", "sha256"),
    "confidence": ("confidence", "sha256"),
    "suspect": ("confidence", "sha256"),
}
"""By what each order sorts, each with an index: upwards the first two, downwards the others."""
_UPWARDS = ("name", "random")


@dataclass(frozen=True)
class NewImage:
    """An image that can be decoded, to be added."""

    name: str
    data: bytes
    sha256: str
    ending: str
    width: int
    height: int

    @classmethod
    def of(cls, name: str, data: bytes) -> "NewImage":
        """Decode an image; raises ImageRejectedError."""
        ending, (width, height) = format_and_size(data)
        name = shown(name.replace("\\", "/"), None)[-MAX_NAME:]
        # Datasets know images by the endings of their names.
        name = name if is_image(name) else f"{name}.{ending}"
        return cls(name, data, hashlib.sha256(data).hexdigest(), ending, width, height)

    def row(self, dataset_id: str) -> dict[str, object]:
        """Return the values of its row."""
        names = ("name", "sha256", "ending", "width", "height")
        values = {name: getattr(self, name) for name in names}
        own = {"id": f"image-{uuid.uuid4().hex}", "dataset_id": dataset_id}
        return own | values | {"bytes": len(self.data)}


class DatasetImages:
    """Every method raises ReadsmithError dataset_not_found, or dataset_frozen for an upload."""

    def __init__(
        self,
        database: Database,
        files: SharedFiles,
        room: DatasetRoom,
        limits: DatasetLimits = DEFAULT_LIMITS,
    ) -> None:
        self._database = database
        self._files = files
        self._room = room
        self._limits = limits

    def add(self, dataset_id: str, sent: Sequence[tuple[str, bytes]]) -> AddedImages:
        """Add images, by name and content, that the dataset does not have, and queue a learning.

        Raises ReadsmithError uploads_full, datasets_full or dataset_too_many_files.
        """
        images: dict[str, NewImage] = {}
        rejected = []
        for name, data in sent:
            try:
                image = NewImage.of(name, data)
            except ImageRejectedError as error:
                rejected.append(
                    RejectedImage(name=shown(name), code=error.code, message=error.message)
                )
            else:
                images.setdefault(image.sha256, image)
        added = self._store(dataset_id, images)
        known = len(sent) - len(rejected) - added
        return AddedImages(added=added, known=known, rejected=rejected)

    def _store(self, dataset_id: str, images: dict[str, NewImage]) -> int:
        with self._database.reading.begin() as connection:
            living_row(connection, dataset_id)
            known = _known(connection, dataset_id, images)
        new = [image for sha256, image in images.items() if sha256 not in known]
        with self._room.reserved(sum(len(image.data) for image in new)):
            # The files first: a row whose file is missing would be shown, a file without a row is
            # taken when the image is sent again, and goes with the dataset.
            for image in new:
                name = dataset_image_name(dataset_id, image.sha256, image.ending)
                self._files.write(image.data, name)
            try:
                return self._insert(dataset_id, new)
            except DatasetNotFoundError:  # deleted meanwhile
                self._files.remove(dataset_folder(dataset_id))
                raise

    def _insert(self, dataset_id: str, images: Sequence[NewImage]) -> int:
        with self._database.writing.begin() as connection:
            living_row(connection, dataset_id, lock=True)
            known = _known(connection, dataset_id, [image.sha256 for image in images])
            new = [image for image in images if image.sha256 not in known]
            if not new:
                return 0
            self._require_room(connection, dataset_id, len(new))
            connection.execute(insert(dataset_images), [image.row(dataset_id) for image in new])
            count_change(connection, dataset_id, sum(len(image.data) for image in new))
            queue_learning(connection, dataset_id)
        return len(new)

    def _require_room(self, connection: Connection, dataset_id: str, more: int) -> None:
        query = select(func.count()).where(_columns.dataset_id == dataset_id)
        count = (connection.scalar(query) or 0) + more
        if count > self._limits.files:
            raise too_many_files(count, self._limits.files)

    def page(
        self,
        dataset_id: str,
        order: ImageOrder,
        states: Collection[ImageState],
        limit: int,
        after: str | None = None,
    ) -> ImagePage:
        """Return the images in these states that follow `after` in an order; no state: all.

        Raises ReadsmithError image_not_found.
        """
        if order == "suspect":
            states = states or [ImageState.SUSPECTED]
        wanted = _columns.dataset_id == dataset_id
        wanted &= _columns.state.in_(states or list(ImageState))
        keys, upwards = [_columns[key] for key in _KEYS[order]], order in _UPWARDS
        query = select(dataset_images).where(wanted).limit(limit + 1)
        query = query.order_by(*(key if upwards else key.desc() for key in keys))
        with self._database.reading.begin() as connection:
            living_row(connection, dataset_id)
            if after is not None:
                row = _find(connection, dataset_id, after)
                place, last = tuple_(*keys), tuple_(*(getattr(row, key) for key in _KEYS[order]))
                query = query.where(place > last if upwards else place < last)
            with reading_rows(connection, query) as rows:
                data, has_more = page_of(rows, limit, image_of)
            count = connection.scalar(select(func.count()).where(wanted)) or 0
        return ImagePage(data=data, count=count, has_more=has_more)

    def get(self, dataset_id: str, image_id: str) -> DatasetImage:
        """Return one; raises ReadsmithError image_not_found."""
        return image_of(self._row(dataset_id, image_id))

    def read(self, dataset_id: str, image_id: str) -> bytes:
        """Return the file as it was sent; raises ReadsmithError image_not_found."""
        data = self._files.read(file_of(self._row(dataset_id, image_id)))
        if data is None:
            raise image_not_found(dataset_id, image_id)
        return data

    def files(self, rows: Sequence[tuple[str, Row[Any]]]) -> Iterator[tuple[str, bytes]]:
        """Yield the files of images by the names given them, those deleted meanwhile left out."""
        for name, row in rows:
            if (data := self._files.read(file_of(row))) is not None:
                yield name, data

    def remove(self, dataset_id: str, image_id: str) -> None:
        """Take an image and its label out; raises ReadsmithError image_not_found.

        Its file stays as long as the dataset: an earlier version may hold it.
        """
        with self._database.writing.begin() as connection:
            living_row(connection, dataset_id, lock=True)
            row = _find(connection, dataset_id, image_id)
            connection.execute(delete(dataset_images).where(_columns.number == row.number))
            count_change(connection, dataset_id, -row.bytes)

    def _row(self, dataset_id: str, image_id: str) -> Row[Any]:
        with self._database.reading.begin() as connection:
            living_row(connection, dataset_id)
            return _find(connection, dataset_id, image_id)


def count_change(connection: Connection, dataset_id: str, more_bytes: int = 0) -> None:
    """Count a change of a living dataset, which gets its next version by that."""
    version, size = datasets.c.version + 1, datasets.c.bytes + more_bytes
    ours = update(datasets).where(datasets.c.id == dataset_id)
    connection.execute(ours.values(version=version, bytes=size))


def file_of(row: Row[Any]) -> str:
    """Return the name of an image's file in the shared files."""
    return dataset_image_name(row.dataset_id, row.sha256, row.ending)


def image_of(row: Row[Any]) -> DatasetImage:
    """Return an image as it is shown."""
    same = ("id", "name", "state", "text", "proposal", "proposed_by", "by", "version", "random")
    return DatasetImage(
        **{name: getattr(row, name) for name in same},
        confidence=None if row.proposal is None else row.confidence,
        at=None if row.at is None else moment(row.at),
        width=row.width,
        height=row.height,
        image=f"/datasets/{row.dataset_id}/images/{row.id}/image",
    )


def image_not_found(dataset_id: str, image_id: str) -> ReadsmithError:
    """Return the error for an image that is not in the dataset, or no longer."""
    return NotFoundError(
        "image_not_found",
        f"Dataset {dataset_id} has no image {image_id[:100]}.",
        f"GET /datasets/{dataset_id}/images lists the existing ones.",
    )


def _find(connection: Connection, dataset_id: str, image_id: str) -> Row[Any]:
    wanted = (_columns.id == image_id) & (_columns.dataset_id == dataset_id)
    row = connection.execute(select(dataset_images).where(wanted)).one_or_none()
    if row is None:
        raise image_not_found(dataset_id, image_id)
    return row


def _known(connection: Connection, dataset_id: str, hashes: Collection[str]) -> set[str]:
    ours = (_columns.dataset_id == dataset_id) & _columns.sha256.in_(list(hashes))
    return set(connection.scalars(select(_columns.sha256).where(ours)))
