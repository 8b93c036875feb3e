"""A job that trains with several settings: the trials, and the best of them taken up again.

Importing this imports TensorFlow and Optuna.
"""

import gc
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from shared.errors import ReadsmithError
from trainer.dataset import Base, Dataset
from trainer.progress import Observer, Progress, Stage
from trainer.requests import JobRequest
from trainer.search_request import OF_THE_PICTURE, Search
from trainer.stages.train import train
from trainer.training import Trained
from trainer.training_choice import choose_parameters, tell_settings
from trainer.trial_table import StoppedTrialError, TrialTable
from trainer.trials import TrialLog, TrialRecord

Load = Callable[[JobRequest], Dataset]


@dataclass(frozen=True)
class Pictures:
    """The dataset of a search, and how to read it otherwise."""

    plain: Dataset
    """As read where the search chooses nothing about the pictures."""
    load: Load
    """Reads the dataset as a request asks."""

    def of(self, request: JobRequest, searched: Search) -> Dataset:
        """Return the dataset as a trial reads it, in the same three parts.

        Raises ReadsmithError label_too_long if a picture would be left out.
        """
        if not set(OF_THE_PICTURE) & set(searched.parameters):
            return self.plain
        dataset = self.load(request)
        if dataset.fingerprint != self.plain.fingerprint:
            raise ReadsmithError(
                "label_too_long",
                f"At a width of {dataset.image.width} pixels, labels have no room: "
                "pictures would be left out.",
                "Search among greater widths.",
            )
        return dataset


@dataclass(frozen=True)
class Found:
    """The best trial, trained, with its own request and the pictures as it reads them."""

    request: JobRequest
    dataset: Dataset
    trained: Trained


@dataclass(frozen=True)
class _Trials:
    """What the trials of a job have in common."""

    table: TrialTable
    pictures: Pictures
    searched: Search
    base: Base | None
    observer: Observer
    work: Path

    def train(self, record: TrialRecord, observer: Observer) -> Found:
        """Train a trial, from its checkpoint on if there is one; it gets one try."""
        request = self.table.request_of(record)
        dataset = self.pictures.of(request, self.searched)
        folder = self.work / folder_of(record)
        folder.mkdir(exist_ok=True)
        trained = train(dataset, request, observer, folder, self.base, max_restarts=0)
        return Found(request, dataset, trained)


def search(
    request: JobRequest,
    searched: Search,
    pictures: Pictures,
    base: Base | None,
    observer: Observer,
    work: Path,
    log: TrialLog,
) -> Found:
    """Train with several settings, one after the other; return the best by the validation part.

    work: a folder that attempts share. log: likewise; trials that it holds are not repeated.
    Raises ReadsmithError search_failed if no trial learned to read.
    """
    table = TrialTable(request, searched, observer, log)
    trials = _Trials(table, pictures, searched, base, observer, work)
    while (record := table.begin()) is not None:
        observer.checkpoint()
        _run(trials, record)
        _clear(trials)
    return _take_up_best(trials)


def _run(trials: _Trials, record: TrialRecord) -> None:
    """Train one trial; how it goes and ends is in the table."""
    try:
        trials.train(record, _TrialObserver(trials, record))
    except StoppedTrialError:
        trials.table.stop(record)
    except ReadsmithError as error:
        trials.table.fail(record, error.message)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        trials.table.fail(record, "Memory ran out.")
    else:
        trials.table.finish(record)


def _take_up_best(trials: _Trials) -> Found:
    """Return the best trial as its checkpoint holds it."""
    best = trials.table.best
    if best is None:
        raise _none_learned(trials.table)
    found = trials.train(best, trials.observer)
    trials.observer.event(
        "best", f"Trial {best.number} reads the validation part best.", {"number": best.number}
    )
    images = len(found.dataset.train) + len(found.dataset.rehearsal.labels)
    chosen = choose_parameters(found.request, images, found.dataset.image.width)
    tell_settings(*chosen, trials.observer)
    trials.observer.summary(found.dataset.summary)
    return found


def _clear(trials: _Trials) -> None:
    """Free the memory of the trial that has ended, and the disk of all but the best."""
    keras.backend.clear_session()
    gc.collect()
    best = trials.table.best
    for record in trials.table.records:
        if record is not best:
            shutil.rmtree(trials.work / folder_of(record), ignore_errors=True)


def folder_of(record: TrialRecord) -> str:
    """Return the name of a trial's folder in the job's scratch folder."""
    return f"trial-{record.number}"


def _none_learned(table: TrialTable) -> ReadsmithError:
    reasons = {record.error for record in table.records if record.error}
    return ReadsmithError(
        "search_failed",
        f"None of the {len(table.records)} trials learned to read: {' '.join(sorted(reasons))}",
        "Train once without a search; if that works, search close to what it chooses.",
    )


class _TrialObserver:
    """Follows the training of one trial for the job's observer."""

    def __init__(self, trials: _Trials, record: TrialRecord) -> None:
        self._table, self._record = trials.table, record
        self.event = trials.observer.event
        self.checkpoint = trials.observer.checkpoint

    def progress(self, progress: Progress) -> None:
        """Take in an epoch; raises StoppedTrialError."""
        self._table.epoch(self._record, progress)

    def stage(self, stage: Stage) -> None:
        """Say nothing: a trial has no stages."""

    def summary(self, summary: dict[str, Any]) -> None:
        """Say nothing: the pictures are those of the search."""
