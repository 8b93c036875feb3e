"""The jobs that learn from living datasets: one at a time of each, and none while others train."""

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from shared.api.jobs import JobKind, Status
from trainer.database.rows import DATASET_ID, STATE, UNFINISHED, insert_job, move, record
from trainer.database.tables import jobs
from trainer.schemas.job_request import DatasetRequest, JobRequest

_LEARNINGS = jobs.c.kind == JobKind.LEARN
STEP, LATER_STEP = 12, 25
"""So many labels further, it learns again: at first every dozen, later every 25."""
OFTEN_UNTIL = 48


def is_due(before: int, after: int) -> bool:
    """Return whether so many more labels are worth another learning."""
    return _steps(after) > _steps(before)


def _steps(labels: int) -> int:
    often = min(labels, OFTEN_UNTIL) // STEP
    return often + max(0, labels - OFTEN_UNTIL) // LATER_STEP


def queue_learning(connection: Connection, dataset_id: str) -> str:
    """Queue a learning of a dataset; return the job's id.

    One that waits already takes the newest labels, too, once it begins. One that runs is not
    stopped: of somebody who labels fast, none would ever end.
    """
    ours = _LEARNINGS & (dataset_id == DATASET_ID)
    waiting = select(jobs.c.id).where(ours, jobs.c.status == Status.QUEUED)
    known: str | None = connection.scalars(waiting).first()
    request = JobRequest(dataset=DatasetRequest(id=dataset_id))
    return known or insert_job(connection, request, JobKind.LEARN)


def learnings_of(connection: Connection, dataset_ids: Iterable[str]) -> dict[str, str]:
    """Return the job that learns from each dataset, or will, by the dataset's id."""
    ours = _LEARNINGS & UNFINISHED & DATASET_ID.in_(dataset_ids)
    query = select(DATASET_ID, jobs.c.id).where(ours).order_by(jobs.c.number.desc())
    return {row[0]: row[1] for row in connection.execute(query)}  # the oldest, which runs, last


def give_way(connection: Connection) -> None:
    """Have the learnings that run stop for a training, and begin again after it."""
    running = _LEARNINGS & (jobs.c.status == Status.RUNNING) & ~jobs.c.cancel_requested
    query = select(jobs.c.id, DATASET_ID).where(running).with_for_update()
    for job_id, dataset_id in connection.execute(query).all():
        queue_learning(connection, dataset_id)
        _request_end(connection, job_id, "It gives way to a training.")


def cancel_learnings(connection: Connection, dataset_id: str) -> None:
    """Cancel what learns from a dataset that is to be deleted, or waits to."""
    ours = _LEARNINGS & UNFINISHED & (dataset_id == DATASET_ID)
    message = "The dataset is deleted."
    for row in connection.execute(select(*STATE).where(ours).with_for_update()).all():
        if row.status == Status.QUEUED:
            move(connection, row, Status.CANCELLED, message)
        elif not row.cancel_requested:
            _request_end(connection, row.id, message)


def _request_end(connection: Connection, job_id: str, message: str) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(cancel_requested=True))
    record(connection, job_id, "cancel", message, {})
