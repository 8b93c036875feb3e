"""A hyperparameter search: trains the trials and resumes the best of them.

Importing this imports TensorFlow and Optuna.
"""

import gc
import logging
from typing import Any

import keras

from shared.api.jobs import Progress
from shared.errors import FailedError
from trainer.pipeline.context import Load, RunContext
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.search.trial import TrainedTrial, TrainTrials, Trials, why_failed
from trainer.pipeline.search.trials import StoppedTrialError, TrialTable
from trainer.pipeline.training.parameters import choose_parameters, report_settings
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer
from trainer.schemas.trial import TrialRecord


def search(
    request: JobRequest,
    dataset: Dataset,
    load: Load,
    base: Base | None,
    observer: Observer,
    context: RunContext,
    train_trials: TrainTrials | None = None,
) -> TrainedTrial:
    """Train with several settings; return the best by the validation part.

    In turn, unless train_trials trains them otherwise. Trials that the context's log holds from
    earlier attempts are not repeated.
    Raises ReadsmithError search_failed if no trial learned.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every further model
    assert request.search is not None  # noqa: S101 - says the type
    table = TrialTable(request, request.search, observer, context.trials)
    trials = Trials(table, dataset, load, base, observer, context)
    # A parameter, because importing the Ray driver here would make a cycle of imports.
    (train_trials or _train_in_turn)(trials)
    return _resume_best(trials)


def _train_in_turn(trials: Trials) -> None:
    while (record := trials.table.begin()) is not None:
        trials.observer.checkpoint()
        _train_one(trials, record)
        keras.backend.clear_session()  # else Keras holds on to the graphs of all trials
        gc.collect()
        trials.clear()


def _train_one(trials: Trials, record: TrialRecord) -> None:
    """Train one trial and record its end in the table."""
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


def _resume_best(trials: Trials) -> TrainedTrial:
    """Return the best trial, restored from its checkpoint.

    The way in which an interrupted job resumes: one way to a trained model, whether the trial
    ended just now, in an earlier attempt or on another machine.
    """
    best = trials.table.best
    if best is None:
        records = trials.table.records
        errors = {record.error for record in records if record.error}
        raise FailedError(
            "search_failed",
            f"None of the {len(records)} trials learned: {' '.join(sorted(errors))}",
            "Train once without a search; if that works, search near the values that it chooses.",
        )
    found = trials.train(best, trials.observer)
    trials.observer.event(
        "best", f"Trial {best.number} is the best on validation.", {"number": best.number}
    )
    chosen, reasons = choose_parameters(found.request)
    found_best = dict.fromkeys(best.parameters.keys() & reasons, "best value of the search")
    report_settings(chosen, reasons | found_best, trials.observer)
    trials.observer.summary(found.dataset.summary)
    return found


class _TrialObserver(Observer):
    """Passes a trial's training on to the table and the job's observer."""

    def __init__(self, trials: Trials, record: TrialRecord) -> None:
        self._trials, self._record = trials, record

    def progress(self, progress: Progress) -> None:
        """Record an epoch; raises StoppedTrialError."""
        self._trials.table.epoch(self._record, progress)

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Forward to the job's observer."""
        self._trials.observer.event(kind, message, data)

    def estimate(self, seconds_left: float) -> None:
        """Forward what the whole search will take."""
        self._trials.observer.estimate(self._trials.table.seconds_left(0.0, seconds_left))

    def finishing(self) -> bool:
        """Forward the answer of the job's observer."""
        return self._trials.observer.finishing()

    def checkpoint(self) -> None:
        """Forward to the job's observer, which may raise."""
        self._trials.observer.checkpoint()
