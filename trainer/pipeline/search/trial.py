"""A trial of a search, wherever it is trained. Imports TensorFlow and Optuna."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import tensorflow as tf

from shared.errors import DatasetError, ReadsmithError
from trainer.pipeline.context import Load, RunContext
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.search.trials import TrialTable
from trainer.pipeline.training.results import Trained
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer
from trainer.schemas.search_request import OF_THE_IMAGE
from trainer.schemas.trial import TrialRecord


class TrainedTrial(NamedTuple):
    """A trained trial, with its own request and dataset."""

    request: JobRequest
    dataset: Dataset
    trained: Trained


@dataclass(frozen=True)
class Trials:
    """What the trials of a job share."""

    table: TrialTable
    plain: Dataset
    """The dataset of trials that do not change the image spec."""
    load: Load
    """Loads the dataset by a request."""
    base: Base | None
    observer: Observer
    context: RunContext
    cleared: set[int] = field(default_factory=set)
    """Numbers of trials whose files were deleted."""

    def train(self, record: TrialRecord, observer: Observer) -> TrainedTrial:
        """Train a trial, resuming its checkpoint if there is one.

        Without restarts: gentler settings after a failure would spend time on what the next trial
        may do better.
        """
        request = self.table.request_of(record)
        dataset = self._dataset_of(request)
        folder = self.context.inputs.work / folder_of(record)
        folder.mkdir(exist_ok=True)
        job_files = self.context.inputs.job_files
        trained = train(dataset, request, observer, folder, self.base, 0, job_files)
        return TrainedTrial(request, dataset, trained)

    def _dataset_of(self, request: JobRequest) -> Dataset:
        """Return a trial's dataset, split into the same three parts.

        Raises ReadsmithError label_too_long if an image would be left out.
        """
        if not set(OF_THE_IMAGE) & set(self.table.search.parameters):
            return self.plain
        dataset = self.load(request)
        require_same_parts(dataset, self.plain.fingerprint)
        return dataset

    def clear(self) -> None:
        """Delete the files of the trials that have ended, except the best."""
        best = self.table.best
        for record in self.table.records:
            if record is best or not record.ended or record.number in self.cleared:
                continue
            folder = self.context.inputs.work / folder_of(record)
            shutil.rmtree(folder, ignore_errors=True)
            if self.context.inputs.job_files is not None:
                with contextlib.suppress(OSError, ReadsmithError):  # the job's end deletes them too
                    self.context.inputs.job_files.remove(folder)
            self.cleared.add(record.number)


TrainTrials = Callable[[Trials], None]
"""Trains trials until the table begins no more, as many at a time as it can."""


def why_failed(error: Exception) -> str | None:
    """Return why a trial failed; None for an error that ends the whole search."""
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return "Memory ran out."
    return error.message if isinstance(error, ReadsmithError) else None


def require_same_parts(dataset: Dataset, fingerprint: str) -> None:
    """Raise ReadsmithError label_too_long if a trial would train or predict on other images.

    Trials are comparable only on the same split.
    """
    if dataset.fingerprint != fingerprint:
        raise DatasetError(
            "label_too_long",
            f"At a width of {dataset.image.width} pixels, labels do not fit: "
            "images would be left out.",
            "Search among greater widths.",
        )


def folder_of(record: TrialRecord) -> str:
    """Return the name of a trial's folder in the job's scratch folder."""
    return f"trial-{record.number}"
