"""The workers' interface to the jobs: claim one, renew its lease, record its progress and its end.

A claim is a lease. The worker that holds it renews it; once it has expired, another worker may
claim the job with the next attempt number. Every write names its attempt, so a stale attempt
writes nothing.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from shared.api.jobs import JobError, JobKind, JobProgress, Stage, Status
from shared.errors import FailedError
from trainer.database.rows import STATE, find, move, plain_json, record, trials_of
from trainer.database.tables import Database, jobs, now, trials, workers
from trainer.schemas.job import Claim, LostClaimError
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError, RunResult
from trainer.schemas.trial import TrialRecord


class JobQueue:
    """Every method that takes a claim raises LostClaimError when another attempt holds the job."""

    def __init__(self, database: Database, *, lease_seconds: float, max_attempts: int) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts

    def claim(self, kinds: Collection[JobKind] = (JobKind.TRAIN,)) -> Claim | None:
        """Claim the oldest queued training, else the oldest learning.

        kinds: that the caller can run. Jobs whose lease has expired are queued again first.
        """
        with self._database.writing.begin() as connection:
            self._requeue_stalled(connection)
            waiting = (jobs.c.status == Status.QUEUED) & jobs.c.kind.in_(kinds)
            queued = _take(connection, waiting, limit=1).one_or_none()
            if queued is None:
                return None
            claim = Claim(queued.id, queued.attempt + 1)
            move(
                connection,
                queued,
                Status.RUNNING,
                f"Attempt {claim.attempt} begins.",
                attempt=claim.attempt,
                started_at=queued.started_at or now(),
                lease_until=now() + self._lease_seconds,
                # The attempt before may have died while it published; this one can be cancelled.
                publishing=False,
            )
            return claim

    def requeue_stalled(self) -> None:
        """Queue the jobs again whose lease has expired; called also while all workers are busy."""
        with self._database.writing.begin() as connection:
            self._requeue_stalled(connection)

    def kind(self, claim: Claim) -> JobKind:
        """Return what the job does."""
        with self._database.reading.begin() as connection:
            return JobKind(_must_hold(find(connection, claim.job_id), claim).kind)

    def request(self, claim: Claim) -> JobRequest:
        """Return the job's request."""
        with self._database.reading.begin() as connection:
            _must_hold(find(connection, claim.job_id), claim)
            request = select(jobs.c.request).where(jobs.c.id == claim.job_id)
            return JobRequest.model_validate(connection.execute(request).scalar_one())

    def renew(self, claim: Claim, at_least: float = 0) -> None:
        """Extend the lease to lease_seconds from now, or to at_least so many seconds."""
        with self._held(claim) as (connection, _):
            lease_until = now() + max(self._lease_seconds, at_least)
            _set(connection, claim, lease_until=lease_until)

    def check(self, claim: Claim) -> bool:
        """Return whether the job was asked to finish; raise CancelledRunError if to stop."""
        with self._database.reading.begin() as connection:
            row = _must_hold(find(connection, claim.job_id), claim)
        if row.cancel_requested:
            raise CancelledRunError
        return bool(row.finish_requested)

    def begin_publishing(self, claim: Claim) -> None:
        """Pass the point after which the job cannot be cancelled; raises CancelledRunError."""
        with self._held(claim) as (connection, row):
            if row.cancel_requested:
                raise CancelledRunError
            _set(connection, claim, publishing=True)

    def stage(self, claim: Claim, stage: Stage) -> None:
        """Record that a stage begins."""
        with self._held(claim) as (connection, _):
            _set(connection, claim, stage=stage)
            record(connection, claim.job_id, "stage", f"Stage {stage}.", {"stage": stage})

    def progress(self, claim: Claim, progress: JobProgress, message: str) -> None:
        """Record an epoch."""
        data = plain_json(progress)
        with self._held(claim) as (connection, _):
            _set(connection, claim, progress=data)
            record(connection, claim.job_id, "progress", message, data)

    def trial(self, claim: Claim, trial: TrialRecord) -> None:
        """Record the state of a trial, in place of its earlier one."""
        where = (trials.c.job_id == claim.job_id) & (trials.c.number == trial.number)
        data = plain_json(trial)
        with self._held(claim) as (connection, _):
            if connection.execute(update(trials).where(where).values(record=data)).rowcount == 0:
                new = insert(trials).values(job_id=claim.job_id, number=trial.number, record=data)
                connection.execute(new)

    def trials(self, claim: Claim) -> list[TrialRecord]:
        """Return the trials of all attempts."""
        with self._database.reading.begin() as connection:
            return trials_of(connection, claim.job_id)

    def summary(self, claim: Claim, summary: dict[str, Any]) -> None:
        """Record the dataset summary."""
        with self._held(claim) as (connection, _):
            _set(connection, claim, dataset=plain_json(summary))

    def event(self, claim: Claim, kind: str, message: str, data: dict[str, Any]) -> None:
        """Record an event of the run."""
        with self._held(claim) as (connection, _):
            record(connection, claim.job_id, kind, message, data)

    def succeed(self, claim: Claim, result: RunResult) -> None:
        """End the job with what it published."""
        with self._held(claim) as (connection, row):
            message = f"Published {result.model} version {result.version}."
            move(connection, row, Status.SUCCEEDED, message, result=plain_json(result))

    def learned(self, claim: Claim, message: str) -> None:
        """End a learning, which publishes nothing; message: what came of it."""
        with self._held(claim) as (connection, row):
            move(connection, row, Status.SUCCEEDED, message)

    def fail(self, claim: Claim, error: JobError) -> None:
        """End the job with the reason."""
        with self._held(claim) as (connection, row):
            move(connection, row, Status.FAILED, error.message, error=plain_json(error))

    def cancelled(self, claim: Claim) -> None:
        """End the job as cancelled."""
        with self._held(claim) as (connection, row):
            move(connection, row, Status.CANCELLED, "Cancelled.")

    def record_loss(self, claim: Claim, error: JobError) -> None:
        """Queue a job again whose process died; after max_attempts losses it fails with error."""
        with self._held(claim) as (connection, row):
            self._requeue_or_fail(connection, row, error)

    def requeue(self, claim: Claim, message: str) -> None:
        """Queue the job again without counting a loss."""
        with self._held(claim) as (connection, row):
            _requeue(connection, row, message, row.losses)

    def is_over(self, job_id: str) -> bool:
        """Return whether the job has a final status, or does not exist."""
        with self._database.reading.begin() as connection:
            query = select(jobs.c.status).where(jobs.c.id == job_id)
            status = connection.execute(query).scalar_one_or_none()
        return status is None or Status(status).is_final

    def heartbeat(self, worker: str, problem: str | None = None) -> None:
        """Record that a worker is alive, and the problem that prevents it from starting jobs."""
        values = {"seen_at": now(), "problem": problem}
        with self._database.writing.begin() as connection:
            seen = update(workers).where(workers.c.id == worker).values(values)
            if connection.execute(seen).rowcount == 0:
                connection.execute(insert(workers).values(id=worker, **values))

    def remove_worker(self, worker: str) -> None:
        """Delete a worker that ends; it is not stalled."""
        with self._database.writing.begin() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker))

    def _requeue_stalled(self, connection: Connection) -> None:
        expired = (jobs.c.status == Status.RUNNING) & (jobs.c.lease_until < now())
        for row in _take(connection, expired).all():
            self._requeue_or_fail(connection, row, _worker_stalled(row))

    def _requeue_or_fail(self, connection: Connection, row: Row[Any], error: JobError) -> None:
        losses = row.losses + 1
        # A job whose cancellation was requested ends as cancelled, however often it was lost.
        if losses < self._max_attempts or row.cancel_requested:
            _requeue(connection, row, f"{error.message} Queued again.", losses)
        else:
            final = error.model_copy(
                update={"message": f"{error.message} The job was tried {losses} times."}
            )
            move(connection, row, Status.FAILED, final.message, error=plain_json(final))

    @contextmanager
    def _held(self, claim: Claim) -> Iterator[tuple[Connection, Row[Any]]]:
        with self._database.writing.begin() as connection:
            row = _must_hold(find(connection, claim.job_id, lock=True), claim)
            yield connection, row


def _must_hold(row: Row[Any], claim: Claim) -> Row[Any]:
    if row.status != Status.RUNNING or row.attempt != claim.attempt:
        raise LostClaimError
    return row


def _take(connection: Connection, which: Any, limit: int | None = None) -> Any:
    trainings_first = (jobs.c.kind == JobKind.TRAIN).desc()
    query = select(*STATE).where(which).order_by(trainings_first, jobs.c.number).limit(limit)
    # Rows that another worker is claiming are skipped, so workers do not wait for each other.
    return connection.execute(query.with_for_update(skip_locked=True))


def _set(connection: Connection, claim: Claim, **values: Any) -> None:
    connection.execute(update(jobs).where(jobs.c.id == claim.job_id).values(**values))


def _requeue(connection: Connection, row: Row[Any], message: str, losses: int) -> None:
    if row.cancel_requested:
        move(connection, row, Status.CANCELLED, "Cancelled.", losses=losses)
    else:
        move(connection, row, Status.QUEUED, message, losses=losses, progress=None)


def _worker_stalled(row: Row[Any]) -> JobError:
    return JobError.of(
        FailedError(
            "worker_lost",
            f"The worker of attempt {row.attempt} sends no more heartbeats.",
            "See the worker's log; it was killed, or its machine stopped.",
        )
    )
