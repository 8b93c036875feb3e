"""A trial of a search, trained on whichever machine. Imports TensorFlow and Optuna."""

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
from trainer.schemas.search_request import OF_THE_IMAGE, Search
from trainer.schemas.trial import TrialRecord


@dataclass(frozen=True)
class TrialImages:
    """The dataset of a search, and how to read it otherwise."""

    plain: Dataset
    """As read where the search chooses nothing about the images."""
    load: Load
    """Reads the dataset as a request asks."""

    def of(self, request: JobRequest, searched: Search) -> Dataset:
        """Return the dataset as a trial reads it, in the same three parts.

        Raises ReadsmithError label_too_long if an image would be left out.
        """
        if not set(OF_THE_IMAGE) & set(searched.parameters):
            return self.plain
        dataset = self.load(request)
        require_same_parts(dataset, self.plain.fingerprint)
        return dataset


class TrainedTrial(NamedTuple):
    """The best trial, trained, with its own request and the images as it reads them."""

    request: JobRequest
    dataset: Dataset
    trained: Trained


@dataclass(frozen=True)
class Trials:
    """What the trials of a job have in common."""

    request: JobRequest
    """The job's."""
    table: TrialTable
    searched: Search
    images: TrialImages
    base: Base | None
    observer: Observer
    context: RunContext
    cleared: set[int] = field(default_factory=set)
    """Numbers of trials of which nothing is kept any more."""

    def train(self, record: TrialRecord, observer: Observer) -> TrainedTrial:
        """Train a trial, from its checkpoint on if there is one; it gets one try."""
        request = self.table.request_of(record)
        dataset = self.images.of(request, self.searched)
        folder = self.context.inputs.work / folder_of(record)
        folder.mkdir(exist_ok=True)
        kept = self.context.inputs.job_files
        trained = train(dataset, request, observer, folder, self.base, 0, kept)
        return TrainedTrial(request, dataset, trained)

    def clear(self) -> None:
        """Delete what is kept of the trials that have ended, but for the best."""
        best = self.table.best
        for record in self.table.records:
            if record is best or not record.ended or record.number in self.cleared:
                continue
            folder = self.context.inputs.work / folder_of(record)
            shutil.rmtree(folder, ignore_errors=True)
            if self.context.inputs.job_files is not None:
                with contextlib.suppress(OSError, ReadsmithError):  # it goes with the job, too
                    self.context.inputs.job_files.remove(folder)
            self.cleared.add(record.number)


TrainTrials = Callable[[Trials], None]
"""Trains trial after trial until the table begins no more, as many at a time as it can."""


def why_failed(error: Exception) -> str | None:
    """Return why a trial failed; None for what ends the search, too."""
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return "Memory ran out."
    return error.message if isinstance(error, ReadsmithError) else None


def require_same_parts(dataset: Dataset, fingerprint: str) -> None:
    """Raise ReadsmithError label_too_long if a trial would train on or read other images."""
    if dataset.fingerprint != fingerprint:
        raise DatasetError(
            "label_too_long",
            f"At a width of {dataset.image.width} pixels, labels have no room: "
            "images would be left out.",
            "Search among greater widths.",
        )


def folder_of(record: TrialRecord) -> str:
    """Return the name of a trial's folder in the job's scratch folder."""
    return f"trial-{record.number}"
