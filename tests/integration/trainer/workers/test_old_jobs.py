"""Jobs that ended long ago are deleted, but for those that something refers to."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from shared.api.jobs import JobError
from shared.store.store import ModelStore
from tests.support.models import bundles
from tests.support.services.workers import start_worker, wait_until
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database, events, jobs, now, trials, workers
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers import old_jobs
from trainer.workers.old_jobs import OldJobs

DAY = 86_400


@pytest.fixture
def models(settings: Settings) -> ModelStore:
    return settings.model_store()


@pytest.fixture
def end(
    store: JobStore, queue: JobQueue, database: Database, result: RunResult
) -> Callable[..., str]:
    """Queue a job and end it so many days ago; version: the one that it says it published."""

    def ended(days: float, version: int | None = None) -> str:
        job_id = store.create(JobRequest()).id
        claim = queue.claim()
        assert claim is not None and claim.job_id == job_id
        if version is None:
            queue.fail(claim, JobError(code="too_few_images", message="Too few."))
        else:
            queue.succeed(claim, result.model_copy(update={"version": version}))
        with database.writing.begin() as connection:
            finished = update(jobs).where(jobs.c.id == job_id)
            connection.execute(finished.values(finished_at=now() - days * DAY))
            connection.execute(insert(trials).values(job_id=job_id, number=1, record={}))
        return job_id

    return ended


def left(store: JobStore, database: Database) -> set[str]:
    """Return the jobs that are there, once nothing is left of others."""
    ids = {job.id for job in store.page(100).data}
    with database.reading.begin() as connection:
        for table in (events, trials):
            assert set(connection.scalars(select(table.c.job_id))) <= ids
    return ids


@pytest.mark.parametrize("batch", [1, 100])
def test_only_old_jobs_go_that_nothing_refers_to(
    end: Callable[..., str],
    models: ModelStore,
    store: JobStore,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
) -> None:
    monkeypatch.setattr(old_jobs, "BATCH", batch)
    retained, superseded, failed = end(91, 1), end(91, 7), end(91)
    failed_but_published = end(91)
    recent = end(89)
    waiting = store.create(JobRequest()).id
    for job_id in (retained, failed_but_published):
        bundles.publish(models, tmp_path / job_id, job_id=job_id)
    everything = {retained, superseded, failed, failed_but_published, recent, waiting}

    OldJobs(database, models, None).delete_some()
    assert left(store, database) == everything
    aged = OldJobs(database, models, 90)
    for _ in range(6):
        aged.delete_some()
    assert left(store, database) == everything - {superseded, failed}


def test_a_store_that_is_not_mounted_costs_no_job_that_published(
    end: Callable[..., str], models: ModelStore, store: JobStore, database: Database
) -> None:
    published, failed = end(91, 1), end(91)
    OldJobs(database, models, 90).delete_some()
    assert left(store, database) == {published} and failed != published


def test_workers_that_were_killed_are_forgotten(
    models: ModelStore, queue: JobQueue, database: Database
) -> None:
    queue.heartbeat("here")
    queue.heartbeat("killed")
    with database.writing.begin() as connection:
        killed = update(workers).where(workers.c.id == "killed")
        connection.execute(killed.values(seen_at=now() - 2 * DAY))
    OldJobs(database, models, None).delete_some()
    with database.reading.begin() as connection:
        assert list(connection.scalars(select(workers.c.id))) == ["here"]


def test_a_worker_deletes_them(
    end: Callable[..., str], settings: Settings, database: Database, tmp_path: Path
) -> None:
    if database.reading.dialect.name != "sqlite":
        pytest.skip("the process uses the default database")
    end(2)
    worker = start_worker(settings.model_copy(update={"retained_job_days": 1}), ["no-child.py"])

    def is_empty() -> bool:
        with database.reading.begin() as connection:
            return connection.scalar(select(func.count()).select_from(jobs)) == 0

    wait_until(is_empty)
    worker.kill()
    worker.wait()
