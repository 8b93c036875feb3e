"""A job that trains with several settings: the trials, and the best of them taken up again.

Importing this imports TensorFlow and Optuna.
"""

import contextlib
import gc
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from shared.errors import ReadsmithError
from trainer.dataset import Base, Dataset
from trainer.progress import Observer, Progress
from trainer.requests import JobRequest
from trainer.search_request import OF_THE_PICTURE, Search
from trainer.stages.train import train
from trainer.training import Trained
from trainer.training_choice import choose_parameters, tell_settings
from trainer.trial_table import StoppedTrialError, TrialTable
from trainer.trials import TrialRecord

if TYPE_CHECKING:
    from trainer.pipeline import RunContext

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
        require_same_parts(dataset, self.plain.fingerprint)
        return dataset


@dataclass(frozen=True)
class Found:
    """The best trial, trained, with its own request and the pictures as it reads them."""

    request: JobRequest
    dataset: Dataset
    trained: Trained


@dataclass(frozen=True)
class Trials:
    """What the trials of a job have in common."""

    table: TrialTable
    searched: Search
    pictures: Pictures
    base: Base | None
    observer: Observer
    context: "RunContext"
    cleared: set[int] = field(default_factory=set)
    """Numbers of trials of which nothing is kept any more."""

    def train(self, record: TrialRecord, observer: Observer) -> Found:
        """Train a trial, from its checkpoint on if there is one; it gets one try."""
        request = self.table.request_of(record)
        dataset = self.pictures.of(request, self.searched)
        folder = self.context.work / folder_of(record)
        folder.mkdir(exist_ok=True)
        kept = self.context.kept
        trained = train(dataset, request, observer, folder, self.base, 0, kept)
        return Found(request, dataset, trained)

    def clear(self) -> None:
        """Delete what is kept of the trials that have ended, but for the best."""
        best = self.table.best
        for record in self.table.records:
            if record is best or not record.ended or record.number in self.cleared:
                continue
            folder = self.context.work / folder_of(record)
            shutil.rmtree(folder, ignore_errors=True)
            if self.context.kept is not None:
                with contextlib.suppress(OSError, ReadsmithError):  # it goes with the job, too
                    self.context.kept.remove(folder)
            self.cleared.add(record.number)


def search(
    request: JobRequest,
    searched: Search,
    pictures: Pictures,
    base: Base | None,
    observer: Observer,
    context: "RunContext",
) -> Found:
    """Train with several settings; return the best by the validation part.

    One after the other, or on a Ray cluster as many at a time as it has room for. Trials that
    the context's log holds from earlier attempts are not repeated.
    Raises ReadsmithError search_failed if no trial learned to read.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every further model
    if context.cluster is None:
        table = TrialTable(request, searched, observer, context.trials)
        trials = Trials(table, searched, pictures, base, observer, context)
        _train_in_turn(trials)
    else:
        from trainer.search_on_ray import train_at_once  # noqa: PLC0415 - imports Ray

        trials = train_at_once(request, searched, pictures, base, observer, context)
    return _take_up_best(trials)


def _train_in_turn(trials: Trials) -> None:
    while (record := trials.table.begin()) is not None:
        trials.observer.checkpoint()
        _train_one(trials, record)
        keras.backend.clear_session()
        gc.collect()
        trials.clear()


def _train_one(trials: Trials, record: TrialRecord) -> None:
    """Train one trial; how it goes and ends is in the table."""
    try:
        trials.train(record, _TrialObserver(trials, record))
    except StoppedTrialError:
        trials.table.stop(record)
    except Exception as error:
        why = why_failed(error)
        if why is None:
            raise
        trials.table.fail(record, why)
    else:
        trials.table.finish(record)


def why_failed(error: Exception) -> str | None:
    """Return why a trial failed; None for what ends the search, too."""
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return "Memory ran out."
    return error.message if isinstance(error, ReadsmithError) else None


def require_same_parts(dataset: Dataset, fingerprint: str) -> None:
    """Raise ReadsmithError label_too_long if a trial would train on or read other pictures."""
    if dataset.fingerprint != fingerprint:
        raise ReadsmithError(
            "label_too_long",
            f"At a width of {dataset.image.width} pixels, labels have no room: "
            "pictures would be left out.",
            "Search among greater widths.",
        )


def _take_up_best(trials: Trials) -> Found:
    """Return the best trial as its checkpoint holds it."""
    best = trials.table.best
    if best is None:
        raise _none_learned(trials.table)
    found = trials.train(best, trials.observer)
    trials.observer.event(
        "best", f"Trial {best.number} reads the validation part best.", {"number": best.number}
    )
    images = len(found.dataset.train) + len(found.dataset.rehearsal.labels)
    chosen, reasons = choose_parameters(found.request, images, found.dataset.image.width)
    found_best = dict.fromkeys(best.parameters.keys() & reasons, "the best that the search found")
    tell_settings(chosen, reasons | found_best, trials.observer)
    trials.observer.summary(found.dataset.summary)
    return found


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


class _TrialObserver(Observer):
    """Follows the training of one trial for the job's observer."""

    def __init__(self, trials: Trials, record: TrialRecord) -> None:
        self._trials, self._record = trials, record

    def progress(self, progress: Progress) -> None:
        """Take in an epoch; raises StoppedTrialError."""
        self._trials.table.epoch(self._record, progress)

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        self._trials.observer.event(kind, message, data)

    def checkpoint(self) -> None:
        """Give the chance to stop."""
        self._trials.observer.checkpoint()
