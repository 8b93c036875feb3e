"""Deletes the jobs that ended long ago, a few at a time."""

import logging
import time

from shared.errors import BundleError
from shared.store.store import ModelStore
from trainer.database.ended_jobs import (
    EndedJob,
    delete_jobs,
    delete_silent_workers,
    ended_jobs,
)
from trainer.database.tables import Database

BATCH = 100
"""Jobs looked at in one go: the database is locked, and no job is claimed, meanwhile."""
EVERY_SECONDS = 3600.0

log = logging.getLogger("trainer.workers.old_jobs")


class OldJobs:
    """The jobs that ended so many days ago; None: they stay for ever.

    A job stays whose version is in the store, or whose model the store does not have: it may not
    be mounted.
    """

    def __init__(self, database: Database, store: ModelStore, days: float | None) -> None:
        self._database = database
        self._store = store
        self._days = days
        self._seen = 0
        self._next = 0.0

    def delete_some(self) -> None:
        """Look at the next few of them, and an hour after the last at the first again.

        Raises DBAPIError, OSError or ReadsmithError.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS  # also where this fails
        found = self._following()
        old = [job.id for job in found if not self._is_needed(job)]
        if old:
            delete_jobs(self._database, old)
            log.info("Deleted %d jobs that ended more than %g days ago.", len(old), self._days)
        if len(found) == BATCH:
            self._seen, self._next = found[-1].number, 0.0
        else:
            self._seen = 0
            delete_silent_workers(self._database)

    def _following(self) -> list[EndedJob]:
        if self._days is None:
            return []
        return ended_jobs(self._database, self._days, self._seen, BATCH)

    def _is_needed(self, job: EndedJob) -> bool:
        try:
            record = self._store.record(job.model)
        except BundleError:
            return True
        unknown = job.version is not None and not record.versions
        return unknown or record.of_job(job.id) is not None
