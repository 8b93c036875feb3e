"""Living datasets: their rows in the database, and which datasets there are at all."""

import uuid
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from shared.api.datasets import DatasetPage, Upload
from shared.api.labelling import Estimate, ImageState, LivingDataset
from shared.errors import ConflictError
from trainer.database.datasets.learnings import cancel_learnings, learnings_of, queue_learning
from trainer.database.datasets.uploads import require_unused, upload_of
from trainer.database.pages import page_of, reading_rows
from trainer.database.rows import find_dataset, moment
from trainer.database.tables import Database, dataset_images, datasets, now
from trainer.files.shared_files import UPLOADS, SharedFiles, dataset_folder, upload_name


class LivingDatasets:
    """Every method that takes an id raises ReadsmithError dataset_not_found.

    Those that change a living dataset raise dataset_frozen for an upload.
    """

    def __init__(self, database: Database, files: SharedFiles) -> None:
        self._database = database
        self._files = files

    def create(self, name: str) -> LivingDataset:
        """Make an empty one."""
        dataset_id = f"dataset-{uuid.uuid4().hex}"
        values = {"id": dataset_id, "name": name, "bytes": 0, "sha256": "", "version": 0}
        with self._database.writing.begin() as connection:
            connection.execute(insert(datasets).values(created_at=now(), **values))
        return self.get(dataset_id)

    def get(self, dataset_id: str) -> LivingDataset:
        """Return one with the counts of its images."""
        with self._database.reading.begin() as connection:
            return _shown(connection, [living_row(connection, dataset_id)])[dataset_id]

    def is_living(self, dataset_id: str) -> bool:
        """Return whether a dataset is one."""
        with self._database.reading.begin() as connection:
            return find_dataset(connection, dataset_id).version is not None

    def rename(self, dataset_id: str, name: str) -> None:
        """Name a dataset, an upload too."""
        with self._database.writing.begin() as connection:
            find_dataset(connection, dataset_id)
            named = update(datasets).where(datasets.c.id == dataset_id).values(name=name)
            connection.execute(named)

    def learn(self, dataset_id: str) -> str:
        """Queue a learning from its labels; return the job's id."""
        with self._database.writing.begin() as connection:
            living_row(connection, dataset_id, lock=True)
            return queue_learning(connection, dataset_id)

    def remove(self, dataset_id: str) -> None:
        """Delete one with its images and labels; raises ReadsmithError dataset_in_use."""
        with self._database.writing.begin() as connection:
            living_row(connection, dataset_id, lock=True)
            require_unused(connection, dataset_id)
            cancel_learnings(connection, dataset_id)
            ours = dataset_images.c.dataset_id == dataset_id
            connection.execute(delete(dataset_images).where(ours))
            connection.execute(delete(datasets).where(datasets.c.id == dataset_id))
        # The rows first: labels must never be shown whose images are gone.
        self._files.remove(dataset_folder(dataset_id))

    def page(self, limit: int, after: str | None = None) -> DatasetPage:
        """Return the datasets that are older than `after`, newest first: uploads, too."""
        query = select(datasets).order_by(datasets.c.created_at.desc(), datasets.c.id.desc())
        stored = self._files.names(UPLOADS)
        with self._database.reading.begin() as connection:
            if after is not None:
                last = find_dataset(connection, after)
                place = tuple_(datasets.c.created_at, datasets.c.id)
                query = query.where(place < tuple_(last.created_at, last.id))
            with reading_rows(connection, query) as rows:
                there = (r for r in rows if r.version is not None or upload_name(r.id) in stored)
                found = list(islice(there, limit + 1))
            living = _shown(connection, [row for row in found if row.version is not None])

        def show(row: Row[Any]) -> Upload | LivingDataset:
            return upload_of(row) if row.version is None else living[row.id]

        data, has_more = page_of(found, limit, show)
        return DatasetPage(data=data, has_more=has_more)


def living_row(connection: Connection, dataset_id: str, *, lock: bool = False) -> Row[Any]:
    """Return the row of a living dataset; raises ReadsmithError dataset_not_found or _frozen."""
    row = find_dataset(connection, dataset_id, lock=lock)
    if row.version is None:
        raise ConflictError(
            "dataset_frozen",
            f"Dataset {dataset_id} is an upload: its images and labels never change.",
            f'POST /datasets with {{"name": "…", "from": "{dataset_id}"}} makes a living dataset '
            "of it.",
        )
    return row


def counts_of(connection: Connection, dataset_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many images of each dataset have each state, by the dataset's id."""
    state, ours = dataset_images.c.state, dataset_images.c.dataset_id
    query = select(ours, state, func.count()).where(ours.in_(dataset_ids)).group_by(ours, state)
    counts: dict[str, dict[str, int]] = {
        dataset_id: dict.fromkeys(ImageState, 0) for dataset_id in dataset_ids
    }
    for dataset_id, of_state, count in connection.execute(query):
        counts[dataset_id][of_state] = count
    return counts


def _shown(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, LivingDataset]:
    """Return living datasets as they are shown, by their ids."""
    ids = [row.id for row in rows]
    counts, learnings = counts_of(connection, ids), learnings_of(connection, ids)
    return {
        row.id: LivingDataset(
            id=row.id,
            name=row.name,
            version=row.version,
            created_at=moment(row.created_at),
            bytes=row.bytes,
            counts=counts[row.id],
            estimate=_estimate(row, counts[row.id]),
            learning=learnings.get(row.id),
            learned=row.learned,
        )
        for row in rows
    }


def _estimate(row: Row[Any], counts: dict[str, int]) -> Estimate | None:
    if row.estimate is None:
        return None
    remaining = counts[ImageState.UNLABELLED] + counts[ImageState.PROPOSED]
    return Estimate.model_validate(row.estimate | {"remaining": remaining})
