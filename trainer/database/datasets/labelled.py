"""What learning from a living dataset's labels takes from the database, and gives back."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from shared.api.labelling import Estimate, ImageState
from trainer.database.datasets.images import file_of
from trainer.database.datasets.living import living_row
from trainer.database.tables import Database, dataset_images, datasets
from trainer.files.shared_files import SharedFiles
from trainer.schemas.labelling import Proposal

BATCH, PAUSE_SECONDS = 100, 0.01
"""Proposals in one transaction, and the pause behind it: people who confirm do not wait for all."""

_columns = dataset_images.c
_OPEN = or_(_columns.state == ImageState.UNLABELLED, _columns.state == ImageState.PROPOSED)


@dataclass(frozen=True)
class KnownImage:
    """An image as learning sees it."""

    id: str
    name: str
    file: str
    """In the shared files; `LabelledDatasets.read` reads it."""
    state: ImageState
    text: str | None
    proposal: str | None
    random: bool


@dataclass(frozen=True)
class KnownImages:
    """All images of a dataset, in random order."""

    dataset_name: str
    version: int
    """Of the dataset."""
    images: Sequence[KnownImage]


class LabelledDatasets:
    """Every method raises ReadsmithError dataset_not_found for a dataset that is gone."""

    def __init__(self, database: Database, files: SharedFiles) -> None:
        self._database = database
        self._files = files

    def images_for_learning(self, dataset_id: str) -> KnownImages:
        """Return the images and labels as they are now."""
        # Sorted by the hash, which is the order that `random` shows them in.
        ours = select(dataset_images).where(_columns.dataset_id == dataset_id)
        with self._database.reading.begin() as connection:
            row = living_row(connection, dataset_id, lock=True)
            images = connection.execute(ours.order_by(_columns.sha256)).all()
        same = ("id", "name", "text", "proposal", "random")
        known = [
            KnownImage(
                file=file_of(image),
                state=ImageState(image.state),
                **{name: getattr(image, name) for name in same},
            )
            for image in images
        ]
        return KnownImages(row.name, row.version, known)

    def read(self, image: KnownImage) -> bytes | None:
        """Return an image's file; None if it was deleted meanwhile."""
        return self._files.read(image.file)

    def propose(
        self,
        dataset_id: str,
        learned_version: int,
        proposals: Sequence[Proposal],
        estimate: Estimate | None,
    ) -> None:
        """Write what was read, wherever nobody has decided meanwhile, and the estimate.

        learned_version: of `images_for_learning`. Images are suspected only while they have the
        text that is contradicted, and never of a text that was proposed before: somebody saw that
        one and decided otherwise. Those that are suspected no more are confirmed again.
        """
        for start in range(0, len(proposals), BATCH):
            with self._database.writing.begin() as connection:
                living_row(connection, dataset_id)
                _write(connection, dataset_id, proposals[start : start + BATCH])
            time.sleep(PAUSE_SECONDS)  # SQLite lets in whoever asks at the right moment
        with self._database.writing.begin() as connection:
            living_row(connection, dataset_id, lock=True)
            _acquit(connection, dataset_id, {p.image_id for p in proposals if p.suspected})
            values = {"learned": learned_version, "estimate": estimate and estimate.model_dump()}
            ours = update(datasets).where(datasets.c.id == dataset_id)
            connection.execute(ours.values(values))


def _write(connection: Connection, dataset_id: str, proposals: Sequence[Proposal]) -> None:
    ours = (_columns.id == bindparam("image")) & (_columns.dataset_id == dataset_id)
    same = (_columns.state == ImageState.CONFIRMED) & (_columns.text == bindparam("label"))
    new = _columns.proposal.is_distinct_from(bindparam("proposal"))
    read: dict[str, Any] = {
        name: bindparam(name) for name in ("proposal", "confidence", "proposed_by", "state")
    }
    suspected = update(dataset_images).where(ours & same & new).values(read)
    proposed = update(dataset_images).where(ours & _OPEN)
    proposed = proposed.values(read | {"score": bindparam("score")})
    for statement, rows in (
        (suspected, [_values(each) for each in proposals if each.suspected]),
        (proposed, [_values(each) for each in proposals if not each.suspected]),
    ):
        if rows:
            connection.execute(statement, rows)


def _values(of: Proposal) -> dict[str, Any]:
    state = ImageState.SUSPECTED if of.suspected else ImageState.PROPOSED
    return {
        "image": of.image_id,
        "label": of.label,
        "proposal": of.text or None,
        "confidence": of.confidence if of.text else 0.0,
        "proposed_by": of.proposed_by if of.text else None,
        "state": state if of.text else ImageState.UNLABELLED,
        "score": of.score,
    }


def _acquit(connection: Connection, dataset_id: str, suspected: Iterable[str]) -> None:
    """Confirm again what is suspected no more."""
    suspects = (_columns.dataset_id == dataset_id) & (_columns.state == ImageState.SUSPECTED)
    before = set(connection.scalars(select(_columns.id).where(suspects)))
    cleared = _columns.id.in_(before - set(suspected))
    confirmed = update(dataset_images).where(cleared).values(state=ImageState.CONFIRMED)
    connection.execute(confirmed)
