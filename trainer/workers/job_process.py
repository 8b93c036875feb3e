"""The child process that runs one attempt of a job: `python -m trainer.workers.job_process`.

It reads its order from standard input. TensorFlow is imported here, after the start, and never
in the worker.
"""

import contextlib
import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from shared.api.jobs import JobError, JobKind, JobProgress, Progress, Stage
from shared.child_process import die_with_parent
from shared.errors import DiskFullError, FailedError, ReadsmithError
from shared.texts import log_as_text
from trainer.database.corrections import save_corrections
from trainer.database.datasets.labelled import LabelledDatasets
from trainer.database.job_queue import JobQueue
from trainer.database.rows import moment
from trainer.database.tables import Database, Result, retried, unavailable
from trainer.files.cache import limit_cache
from trainer.files.disk_errors import storage_error
from trainer.schemas.job import Claim, LostClaimError
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError, Observer, RunResult
from trainer.schemas.trial import TrialRecord
from trainer.settings import Settings
from trainer.subprocesses import NICENESS
from trainer.workers.scratch import clear_scratch

if TYPE_CHECKING:
    from trainer.pipeline.search.trial import TrainTrials

CHECK_SECONDS = 1.0
"""Shortest interval between two queries for a cancellation: batches may take milliseconds."""

log = logging.getLogger("trainer.workers.job_process")


class Order(BaseModel):
    """What a worker passes to its child."""

    claim: Claim
    worker_pid: int
    settings: dict[str, Any]


class JobObserver(Observer):
    """Writes what a run reports to the database, under the claim of its attempt.

    Every method raises CancelledRunError once another attempt holds the job.
    """

    def __init__(self, queue: JobQueue, claim: Claim) -> None:
        self._queue = queue
        self._claim = claim
        self._checked = -math.inf
        self._finishing = False

    def stage(self, stage: Stage) -> None:
        """Record that a stage begins."""
        self._write(self._queue.stage, stage)

    def progress(self, progress: Progress) -> None:
        """Record an epoch and the estimated end of training."""
        message = (
            f"Epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.4g}, "
            f"exact match {progress.exact_match:.1%}."
        )
        numbers = progress.model_dump()
        if not all(math.isfinite(number) for number in numbers.values() if number is not None):
            # JSON, and so the job's progress, has no NaN; clients must not see null as a loss.
            self.event("warning", f"{message} That is not finite.", numbers)
            return
        finish = moment(time.time()) + timedelta(seconds=progress.seconds_left)
        self._write(
            self._queue.progress, JobProgress(**numbers, estimated_finish_at=finish), message
        )

    def trial(self, trial: TrialRecord) -> None:
        """Record the state of a trial of a search."""
        self._write(self._queue.trial, trial)

    def trials(self) -> list[TrialRecord]:
        """Return the trials of a search, those of earlier attempts included."""
        return retried(lambda: self._queue.trials(self._claim))

    def summary(self, summary: dict[str, Any]) -> None:
        """Record the dataset summary."""
        self._write(self._queue.summary, summary)

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Record an event of the run."""
        self._write(self._queue.event, kind, message, data or {})

    def checkpoint(self) -> None:
        """Raise CancelledRunError if cancellation of the job was requested."""
        if time.monotonic() - self._checked >= CHECK_SECONDS:
            self._finishing = self._write(self._queue.check)
            self._checked = time.monotonic()

    def finishing(self) -> bool:
        """Return whether the job was asked to finish."""
        return self._finishing

    def may_publish(self) -> None:
        """Pass the point after which the job cannot be cancelled; raises CancelledRunError."""
        self._write(self._queue.begin_publishing)

    def _write(self, write: Callable[..., Result], *what: Any) -> Result:
        try:
            return retried(lambda: write(self._claim, *what))
        except LostClaimError:
            raise CancelledRunError from None


Run = Callable[[Claim, JobRequest, Settings, JobObserver], RunResult]


def execute(text: str, run: Run) -> None:
    """Run an order and record how it ended, unless another attempt holds the job by then."""
    order = Order.model_validate_json(text)
    die_with_parent(order.worker_pid)
    os.nice(NICENESS)
    settings = Settings(**order.settings)
    database = Database(settings.jobs_database, migrate=False)
    queue = JobQueue(
        database,
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
    )
    with contextlib.suppress(LostClaimError):
        try:
            request = retried(lambda: queue.request(order.claim))
            observer = JobObserver(queue, order.claim)
            if retried(lambda: queue.kind(order.claim)) is JobKind.LEARN:
                message = learn_labels(request, settings, database, observer)
                retried(lambda: queue.learned(order.claim, message))
            else:
                result = run(order.claim, request, settings, observer)
                retried(lambda: queue.succeed(order.claim, result))
        except CancelledRunError:
            retried(lambda: queue.cancelled(order.claim))
        except Exception as error:
            reason = explain_failure(error)
            if isinstance(reason, DiskFullError):
                # The database may be on the same disk and needs room to record the failure. The
                # claim is checked first: a newer attempt may be using the folder.
                retried(lambda: queue.request(order.claim))
                shutil.rmtree(settings.scratch / order.claim.job_id, ignore_errors=True)
            retried(lambda: queue.fail(order.claim, JobError.of(reason)))
    if settings.executor == "ray":  # no worker runs on this machine to do it
        clear_scratch(settings.scratch, queue)


def run_pipeline(
    claim: Claim, request: JobRequest, settings: Settings, observer: JobObserver
) -> RunResult:
    """Run the training pipeline."""
    from trainer.pipeline.context import Inputs, RunContext  # noqa: PLC0415 - imports TensorFlow
    from trainer.pipeline.run import run  # noqa: PLC0415 - likewise

    inputs = Inputs.of(
        settings,
        claim.job_id,
        save_corrections=lambda model, path: retried(
            lambda: save_corrections(settings, model, path)
        ),
    )
    context = RunContext(claim.job_id, claim.attempt, inputs, observer.may_publish, trials=observer)
    limit_cache(settings.cache, settings.max_cache_bytes)  # makes room for the job's download
    try:
        return run(request, context, observer, _train_on_ray(settings))
    finally:
        limit_cache(settings.cache, settings.max_cache_bytes)


def learn_labels(
    request: JobRequest, settings: Settings, database: Database, observer: JobObserver
) -> str:
    """Learn from the labels of a living dataset; return what was done."""
    from trainer.labelling.run import run_learning  # noqa: PLC0415 - imports TensorFlow

    assert request.dataset.id is not None  # noqa: S101 - a learning is queued for a dataset
    datasets = LabelledDatasets(database, settings.open_shared_files())
    store = settings.model_store(settings.retained_versions)
    return run_learning(request.dataset.id, datasets, store, observer)


def _train_on_ray(settings: Settings) -> "TrainTrials | None":
    """Return the function that trains a search's trials on the Ray cluster; None without one."""
    if settings.executor != "ray":
        return None
    from trainer.workers.ray.search import train_at_once  # noqa: PLC0415 - imports Ray

    return partial(train_at_once, settings=settings.for_other_machines)


def explain_failure(error: Exception) -> ReadsmithError:
    """Return the error that ended a run, for users; logs an unexpected one with its traceback."""
    if isinstance(error, ReadsmithError):
        return error
    # TensorFlow's error by its name: the worker calls this function and must not import it.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return FailedError(
            "out_of_memory",
            "Memory ran out.",
            "Lower batch_size or the image size, or give the trainer more memory.",
        )
    if isinstance(error, OSError) and (reason := storage_error(error)):
        return reason
    if isinstance(error, DBAPIError):
        return unavailable(error)
    log.error("The run failed", exc_info=error)
    return FailedError(
        "internal_error",
        f"The run failed with an internal error ({type(error).__name__}).",
        "The trainer's log has the details.",
    )


if __name__ == "__main__":
    log_as_text()
    execute(sys.stdin.read(), run_pipeline)
