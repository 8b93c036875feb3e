"""The versions of living datasets that jobs train on: lists in the shared files.

A version's list holds what people have decided by then; the images' files stay as long as the
dataset, so a job on it can be repeated exactly.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Row, select

from shared.api.labelling import ImageState
from shared.errors import UnusableError
from trainer.database.datasets.living import living_row
from trainer.database.rows import find_dataset
from trainer.database.tables import Database, dataset_images
from trainer.files.shared_files import SharedFiles, dataset_version_name
from trainer.pipeline.datasets.writers.safe_names import safe_names
from trainer.pipeline.datasets.writers.versions import LISTS, ListedImage, write_version
from trainer.schemas.job_request import DatasetRequest

_columns = dataset_images.c


class DatasetVersions:
    """Writes a version's list when a job needs it."""

    def __init__(self, database: Database, files: SharedFiles) -> None:
        self._database = database
        self._files = files

    def settle(self, dataset: DatasetRequest) -> int | None:
        """Return the version of a living dataset that a job trains on, and see that it can.

        None for any other dataset. Raises ReadsmithError dataset_not_found, or request_invalid for
        a version that cannot be had.
        """
        if dataset.id is None:
            return None
        with self._database.reading.begin() as connection:
            row = find_dataset(connection, dataset.id)
        if row.version is None:
            if dataset.version is None:
                return None
            raise _no_version(
                f"Dataset {row.id} is an upload, which has no versions.", "Name none."
            )
        if dataset.version is None or dataset.version == row.version:
            return self._write_present(row.id)
        if not self._files.names(dataset_version_name(row.id, dataset.version)):
            raise _no_version(
                f"Version {dataset.version} of dataset {row.id} is not stored: no job was queued "
                "for it.",
                f"Name none for the present one, {row.version}.",
            )
        return dataset.version

    def _write_present(self, dataset_id: str) -> int:
        version, rows = self.present(dataset_id)
        name = dataset_version_name(dataset_id, version)
        if not self._files.names(name):
            self._files.write(write_version(_listed(rows)), name)
        return version

    def present(self, dataset_id: str) -> tuple[int, Sequence[Row[Any]]]:
        """Return the dataset's version and the rows of its images, in the order of names."""
        query = select(dataset_images).where(_columns.dataset_id == dataset_id)
        with self._database.reading.begin() as connection:
            # Locked, which in SQLite means nothing: there, a transaction sees one state anyway.
            version: int = living_row(connection, dataset_id, lock=True).version
            rows = connection.execute(query.order_by(_columns.name, _columns.number)).all()
        return version, rows


def names_in_set(rows: Iterable[Row[Any]], lists: Sequence[str]) -> list[str]:
    """Return a name for each image that any set can hold, each name once.

    lists: the files of labels beside them.
    """
    taken: set[str] = set()
    names = []
    for row in rows:
        path = PurePosixPath(row.name)
        names.append(
            row.name
            if row.name not in taken
            else str(path.with_stem(f"{path.stem}-{row.sha256[:12]}"))
        )
        taken.add(names[-1])
    safe = safe_names(names, lists)
    return [safe[name] for name in names]


def _listed(rows: Sequence[Row[Any]]) -> Iterable[ListedImage]:
    for row, name in zip(rows, names_in_set(rows, LISTS), strict=True):
        state = ImageState(row.state)
        # Proposals and suspicions come and go without a new version.
        decided = ImageState.CONFIRMED if state.has_label else ImageState.UNLABELLED
        if state is ImageState.UNREADABLE:
            decided = state
        yield ListedImage(name, row.sha256, row.ending, row.text or "", decided, row.random)


def _no_version(message: str, hint: str) -> UnusableError:
    return UnusableError("request_invalid", message, hint, "dataset.version")
