"""Finds jobs that ended long ago, and deletes them with their events and trials."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from shared.api.jobs import Status
from trainer.database.rows import LISTED
from trainer.database.tables import Database, events, jobs, now, trials, workers

FINAL = [status for status in Status if status.is_final]
DAY = 86_400


@dataclass(frozen=True)
class EndedJob:
    """A job that has ended; version: the one that it published, if it succeeded."""

    number: int
    id: str
    model: str
    version: int | None


def ended_jobs(database: Database, days: float, after: int, limit: int) -> list[EndedJob]:
    """Return jobs that ended so many days ago, those with a number above `after`, oldest first."""
    model = LISTED["model"].as_string().label("model")
    version = jobs.c.result["version"].as_integer().label("version")
    query = select(jobs.c.number, jobs.c.id, model, version).where(
        jobs.c.status.in_(FINAL), jobs.c.finished_at < now() - days * DAY, jobs.c.number > after
    )
    with database.reading.begin() as connection:
        rows = connection.execute(query.order_by(jobs.c.number).limit(limit)).all()
    return [EndedJob(row.number, row.id, row.model, row.version) for row in rows]


def delete_jobs(database: Database, job_ids: Sequence[str]) -> None:
    """Delete jobs that have ended, and all that is known of them."""
    with database.writing.begin() as connection:
        for table, column in (
            (trials, trials.c.job_id),
            (events, events.c.job_id),
            (jobs, jobs.c.id),
        ):
            connection.execute(delete(table).where(column.in_(job_ids)))


def delete_silent_workers(database: Database) -> None:
    """Delete workers without a heartbeat for a day: they were killed, or their machine is gone."""
    with database.writing.begin() as connection:
        connection.execute(delete(workers).where(workers.c.seen_at < now() - DAY))
