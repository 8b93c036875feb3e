"""The API's interface to the jobs: create, list, follow, cancel and finish them."""

from typing import Any

from sqlalchemy import Connection, Row, func, literal, select, update

from shared.api.jobs import Event, EventPage, Job, JobKind, JobPage, Stage, Status
from shared.errors import BusyError, ConflictError, UnusableError
from trainer.database.datasets.learnings import give_way
from trainer.database.pages import page_of, reading_rows
from trainer.database.rows import (
    LISTED,
    STATE,
    find,
    find_dataset,
    insert_job,
    listed_job_of,
    moment,
    move,
    record,
    whole_job,
)
from trainer.database.tables import Database, events, jobs, now, serialize_writers, workers
from trainer.schemas.job_request import JobRequest

TRAININGS = jobs.c.kind == JobKind.TRAIN


class JobStore:
    """Jobs and their events in the database.

    Every method that takes a job's id raises ReadsmithError job_not_found.
    """

    def __init__(self, database: Database, *, max_queued_jobs: int) -> None:
        self._database = database
        self._max_queued_jobs = max_queued_jobs

    def repeated(self, request: JobRequest, idempotency_key: str | None) -> Job | None:
        """Return the job that an earlier request with this key created, None if the key is new.

        Raises ReadsmithError idempotency_key_reused.
        """
        with self._database.reading.begin() as connection:
            earlier = _with_key(connection, idempotency_key)
            job = whole_job(connection, earlier) if earlier else None
        return job and _same_request(job, request)

    def create(
        self,
        request: JobRequest,
        idempotency_key: str | None = None,
        *,
        dataset_version: int | None = None,
    ) -> Job:
        """Queue a training, or return the one that was queued with the same key and request.

        dataset_version: of the living dataset that it trains on. Learnings that run give way.
        Raises ReadsmithError queue_full, dataset_not_found or idempotency_key_reused.
        """
        with self._database.writing.begin() as connection:
            # One after the other: two concurrent requests with the same key get the same job,
            # and the limit of queued jobs holds.
            serialize_writers(connection)
            earlier = _with_key(connection, idempotency_key)
            if earlier is not None:
                return _same_request(whole_job(connection, earlier), request)
            settled = request.on_version(dataset_version)
            return self._insert(connection, settled, idempotency_key)

    def get(self, job_id: str) -> Job:
        """Return a job."""
        with self._database.reading.begin() as connection:
            find(connection, job_id)
            return whole_job(connection, job_id)

    def page(self, limit: int, after: str | None = None) -> JobPage:
        """Return the trainings older than `after`, newest first, without what is large."""
        shown = [LISTED.label("request"), jobs.c.progress, jobs.c.result, jobs.c.error]
        query = select(*STATE, *shown, literal(None).label("dataset"))
        query = query.where(TRAININGS).order_by(jobs.c.number.desc()).limit(limit + 1)
        with self._database.reading.begin() as connection:
            if after is not None:
                query = query.where(jobs.c.number < find(connection, after).number)
            with reading_rows(connection, query) as rows:
                data, has_more = page_of(rows, limit, listed_job_of)
        return JobPage(data=data, has_more=has_more)

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job, request cancellation of a running one; idempotent.

        Raises ReadsmithError job_final, or job_publishing if it is too late.
        """
        with self._database.writing.begin() as connection:
            row = find(connection, job_id, lock=True)
            _must_be_cancellable(row)
            if row.status == Status.QUEUED:
                move(connection, row, Status.CANCELLED, "Cancelled before it started.")
            elif not row.cancel_requested:
                requested = update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True)
                connection.execute(requested)
                record(connection, job_id, "cancel", "Cancellation requested.", {})
            return whole_job(connection, job_id)

    def finish(self, job_id: str) -> Job:
        """Ask a training job to end its training and publish the best; idempotent.

        Raises ReadsmithError job_final or job_not_training.
        """
        with self._database.writing.begin() as connection:
            row = find(connection, job_id, lock=True)
            _must_be_unfinished(row, "finish")
            if not row.finish_requested:
                _must_be_training(row)
                requested = update(jobs).where(jobs.c.id == job_id).values(finish_requested=True)
                connection.execute(requested)
                message = "Asked to finish: the rest is trained quickly, and the best published."
                record(connection, job_id, "finish", message, {})
            return whole_job(connection, job_id)

    def events(self, job_id: str, limit: int, after: int = 0) -> EventPage:
        """Return a job's events with an id above `after`, oldest first."""
        return self.news(job_id, limit, after)[0]

    def news(self, job_id: str, limit: int, after: int = 0) -> tuple[EventPage, bool]:
        """Return the same, and whether the job has ended: then no event comes after them."""
        query = select(events).where(events.c.job_id == job_id, events.c.id > after)
        query = query.order_by(events.c.id).limit(limit + 1)
        with self._database.reading.begin() as connection:
            # Read before the events: a job that ends in between is followed once more.
            is_over = Status(find(connection, job_id).status).is_final
            with reading_rows(connection, query) as rows:
                data, has_more = page_of(rows, limit, _event_of)
        return EventPage(data=data, has_more=has_more), is_over

    def count_by_status(self) -> dict[Status, int]:
        """Return how many trainings have each status."""
        query = select(jobs.c.status, func.count()).where(TRAININGS).group_by(jobs.c.status)
        with self._database.reading.begin() as connection:
            counts: dict[str, int] = dict(connection.execute(query).all())
        return {status: counts.get(status, 0) for status in Status}

    def live_workers(self, seconds: float) -> int:
        """Return how many workers sent a heartbeat within that time."""
        query = select(func.count()).where(workers.c.seen_at > now() - seconds)
        with self._database.reading.begin() as connection:
            return connection.execute(query).scalar_one()

    def worker_problems(self, seconds: float) -> list[str]:
        """Return the problems of workers that sent a heartbeat within that time, each once."""
        query = select(workers.c.problem).where(
            workers.c.seen_at > now() - seconds, workers.c.problem.is_not(None)
        )
        with self._database.reading.begin() as connection:
            return sorted(set(connection.execute(query).scalars()))

    def _insert(self, connection: Connection, request: JobRequest, key: str | None) -> Job:
        queued = select(func.count()).where(TRAININGS, jobs.c.status == Status.QUEUED)
        if connection.execute(queued).scalar_one() >= self._max_queued_jobs:
            raise BusyError(
                "queue_full",
                f"{self._max_queued_jobs} jobs are already queued.",
                "Try again when some have run, or cancel some.",
            )
        # Locked, so that the dataset is not deleted between this check and the commit.
        if request.dataset.id is not None:
            find_dataset(connection, request.dataset.id, lock=True)
        give_way(connection)
        job_id = insert_job(connection, request, idempotency_key=key)
        return whole_job(connection, job_id)


def _with_key(connection: Connection, key: str | None) -> str | None:
    if key is None:
        return None
    return connection.scalar(select(jobs.c.id).where(jobs.c.idempotency_key == key))


def _same_request(job: Job, request: JobRequest) -> Job:
    if request.dataset.version is None:  # filled in when the job was queued
        request = request.on_version(job.request["dataset"]["version"])
    if job.request != request.model_dump(mode="json"):
        raise UnusableError(
            "idempotency_key_reused",
            f"This Idempotency-Key was used for {job.id} with another body.",
            "Use a new key for a new request.",
        )
    return job


def _must_be_unfinished(row: Row[Any], to: str) -> None:
    if Status(row.status).is_final:
        raise ConflictError(
            "job_final", f"Job {row.id} has ended: {row.status}.", f"There is nothing to {to}."
        )


def _must_be_training(row: Row[Any]) -> None:
    if row.status != Status.RUNNING or row.stage != Stage.TRAIN or row.cancel_requested:
        stands = f"in stage {row.stage}" if row.stage else row.status
        stands = "being cancelled" if row.cancel_requested else stands
        raise ConflictError(
            "job_not_training",
            f"Job {row.id} is {stands}, so its training cannot be finished.",
            "Only a running job in stage train can; GET /jobs/{job_id} tells the stage.",
        )


def _must_be_cancellable(row: Row[Any]) -> None:
    _must_be_unfinished(row, "cancel")
    if row.publishing:
        raise ConflictError(
            "job_publishing",
            f"Job {row.id} is publishing its model and cannot be cancelled.",
            "If the new version should not be served, roll the model back.",
        )


def _event_of(row: Row[Any]) -> Event:
    return Event(id=row.id, at=moment(row.at), type=row.type, message=row.message, data=row.data)
