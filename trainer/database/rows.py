"""A job's row: how to read it, and the only function that changes its status."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pydantic_core
from sqlalchemy import JSON, Connection, Row, func, insert, select, update

from shared.api.jobs import Job, JobKind, Status
from shared.errors import DatasetNotFoundError, NotFoundError, ReadsmithError
from trainer.database.tables import datasets, events, jobs, now, trials
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.schemas.trial import TrialRecord

LARGE = ("relabel",)
"""Fields of a request that lists leave out."""
STATE = [column for column in jobs.c if not isinstance(column.type, JSON)]
"""Columns that say where a job stands; the others may be large."""
LISTED = func.coalesce(jobs.c.listed, jobs.c.request, type_=JSON)
"""The request without what is large."""
DATASET_ID = LISTED[("dataset", "id")].as_string()
UNFINISHED = jobs.c.status.in_([Status.QUEUED, Status.RUNNING])


def find(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
    """Return the job's row without large columns; raises ReadsmithError job_not_found.

    lock: no other transaction changes the job or records its events until this one ends.
    """
    query = select(*STATE).where(jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(
            "job_not_found", f"There is no job {job_id}.", "GET /jobs lists the existing jobs."
        )
    return row


def move(connection: Connection, row: Row[Any], to: Status, message: str, **values: Any) -> None:
    """Change the status of a locked job and record it as an event; `row` is then out of date."""
    if not Status(row.status).may_become(to):
        raise AssertionError(f"job {row.id} cannot change from {row.status} to {to}")
    if to is not Status.RUNNING:
        values |= {"stage": None, "lease_until": None}
    if to.is_final:
        values["finished_at"] = now()
    connection.execute(update(jobs).where(jobs.c.id == row.id).values(status=to, **values))
    data = {"status": to, "attempt": values.get("attempt", row.attempt)}
    if "error" in values:
        data["error"] = values["error"]
    record(connection, row.id, "status", message, data)


def record(
    connection: Connection, job_id: str, kind: str, message: str, data: dict[str, Any]
) -> None:
    """Record an event of a job that this transaction has locked."""
    connection.execute(
        insert(events).values(
            job_id=job_id, at=now(), type=kind, message=message, data=plain_json(data)
        )
    )


def insert_job(
    connection: Connection,
    request: JobRequest,
    kind: JobKind = JobKind.TRAIN,
    idempotency_key: str | None = None,
) -> str:
    """Queue a job, with its first event; return its id."""
    job_id = f"job-{uuid.uuid4().hex}"
    wanted = request.model_dump(mode="json")
    connection.execute(
        insert(jobs).values(
            id=job_id,
            kind=kind,
            idempotency_key=idempotency_key,
            request=wanted,
            listed={name: wanted[name] for name in wanted if name not in LARGE},
            status=Status.QUEUED,
            created_at=now(),
        )
    )
    record(connection, job_id, "status", "Queued.", {"status": Status.QUEUED, "attempt": 0})
    return job_id


def trials_of(connection: Connection, job_id: str) -> list[TrialRecord]:
    """Return the trials of a job, in order."""
    query = select(trials.c.record).where(trials.c.job_id == job_id).order_by(trials.c.number)
    return [TrialRecord.model_validate(record) for record in connection.execute(query).scalars()]


def whole_job(connection: Connection, job_id: str) -> Job:
    """Return a job that is there as the API shows it, with the trials of a search."""
    job = _job_of(connection.execute(select(jobs).where(jobs.c.id == job_id)).one())
    if job.request["search"] is None:
        return job
    shown = [record.shown for record in trials_of(connection, job.id)]
    return job.model_copy(update={"trials": shown})


def listed_job_of(row: Row[Any]) -> Job:
    """Build a job as lists show it, without what is large."""
    job = _job_of(row)
    request = {name: value for name, value in job.request.items() if name not in LARGE}
    return job.model_copy(update={"request": request})


def _job_of(row: Row[Any]) -> Job:
    request = JobRequest.model_validate(row.request)
    result = {"model": request.model, "preset": request.preset} | (row.result or {})
    return Job(
        id=row.id,
        kind=row.kind,
        status=row.status,
        stage=row.stage,
        request=request.model_dump(mode="json"),
        metadata=request.metadata,
        created_at=moment(row.created_at),
        started_at=row.started_at and moment(row.started_at),
        finished_at=row.finished_at and moment(row.finished_at),
        attempt=row.attempt,
        finish_requested=row.finish_requested,
        progress=row.progress,
        dataset=row.dataset,
        trials=None,
        error=row.error,
        **{name: result.get(name) for name in RunResult.model_fields},
    )


def moment(seconds: float) -> datetime:
    """Convert seconds since 1970 to a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def plain_json(value: Any) -> Any:
    """Return a value as plain JSON types; NaN and infinity become None."""
    return pydantic_core.from_json(pydantic_core.to_json(value, inf_nan_mode="null"))


def find_dataset(connection: Connection, dataset_id: str, *, lock: bool = False) -> Row[Any]:
    """Return a dataset's row; raises ReadsmithError dataset_not_found.

    lock: it is neither changed nor deleted, and no job is queued for it, until this transaction
    ends.
    """
    query = select(datasets).where(datasets.c.id == dataset_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise dataset_not_found(dataset_id)
    return row


def datasets_in_use(connection: Connection) -> set[str]:
    """Return the ids of datasets that queued or running trainings need; lock their rows first.

    Creating a job locks its dataset's row, too, so no new job can need one meanwhile.
    """
    needed = (jobs.c.kind == JobKind.TRAIN) & DATASET_ID.is_not(None)
    return set(connection.scalars(select(DATASET_ID).where(UNFINISHED, needed)))


def dataset_not_found(dataset_id: str) -> ReadsmithError:
    """Return the error for a dataset that does not exist, or no longer."""
    return DatasetNotFoundError(
        "dataset_not_found",
        f"There is no dataset {dataset_id}.",
        "POST /datasets accepts a zip and returns its id.",
    )
