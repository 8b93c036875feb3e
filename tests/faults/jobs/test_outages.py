"""A database that is locked, moved away or stopped for a minute while a job runs."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis.stateful import run_state_machine_as_test

from shared.api.jobs import Status
from tests.integration.trainer.database.test_job_machine import Jobs, stories
from tests.support.jobs.killed_jobs import require_one_version, workers
from tests.support.services import services
from tests.support.services.postgresql import Server, needs_postgresql, running_server
from tests.support.services.several_services import run_jobs
from tests.support.services.workers import wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings

OUTAGE_SECONDS = 60
STORIES = 300
JOBS = 48

Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "database").mkdir()
    return Settings(
        store=tmp_path / "models",
        state=tmp_path / "state",
        database_url=f"sqlite:///{tmp_path}/database/jobs.sqlite",
    )


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


def survive(settings: Settings, outage: Outage, reads: int) -> None:
    """Have a job run through an outage; reads: the status of GET /jobs meanwhile."""
    database = Database(settings.jobs_database)
    store = JobStore(database, max_queued_jobs=10)
    job_id = store.create(JobRequest(metadata={"epoch_seconds": "10"})).id
    environment = {
        "READSMITH_STORE": str(settings.store),
        "READSMITH_STATE": str(settings.state),
        "READSMITH_DATABASE_URL": settings.jobs_database,
    }
    answers: Counter[tuple[str, int, str]] = Counter()
    slowest = 0.0
    with (
        services.trainer(settings.state.parent, None, **environment) as service,
        httpx.Client(base_url=service.url, timeout=120) as trainer,
        workers(settings, "small") as running_workers,
    ):
        wait_until(lambda: store.get(job_id).progress)
        with outage():
            end = time.monotonic() + OUTAGE_SECONDS
            while time.monotonic() < end:
                for method in ("POST", "GET"):
                    begin = time.monotonic()
                    answer = trainer.request(method, "/jobs")
                    slowest = max(slowest, time.monotonic() - begin)
                    answers[method, answer.status_code, answer.json().get("code", "")] += 1
                time.sleep(1)
            assert trainer.get("/healthz").status_code == 200
            assert running_workers[0].poll() is None
        code = "" if reads == 200 else "database_unavailable"
        assert set(answers) == {("POST", 503, "database_unavailable"), ("GET", reads, code)}
        wait_until(lambda: store.get(job_id).status.is_final, seconds=300)
        assert trainer.post("/jobs").status_code == 202
    job = store.get(job_id)
    database.close()
    assert job.status is Status.SUCCEEDED, job.error
    require_one_version(settings, job)
    print(
        f"out for {OUTAGE_SECONDS} s: {sum(answers.values())} requests answered, the slowest "
        f"after {slowest:.1f} s; the job succeeded in attempt {job.attempt}"
    )


def test_a_database_locked_for_a_minute_is_waited_for(settings: Settings) -> None:
    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(settings.jobs_database.removeprefix("sqlite:///"))) as other:
            other.execute("PRAGMA busy_timeout = 10000")
            other.execute("BEGIN IMMEDIATE")
            yield

    survive(settings, locked, reads=200)


def test_a_database_moved_away_for_a_minute_is_waited_for(
    settings: Settings, tmp_path: Path
) -> None:
    @contextmanager
    def moved() -> Iterator[None]:
        (tmp_path / "database").rename(tmp_path / "elsewhere")
        yield
        (tmp_path / "elsewhere").rename(tmp_path / "database")

    survive(settings, moved, reads=503)


@needs_postgresql
def test_a_postgresql_stopped_for_a_minute_is_waited_for(
    settings: Settings, postgresql: Server
) -> None:
    @contextmanager
    def stopped() -> Iterator[None]:
        postgresql.stop()
        yield
        postgresql.start()

    survive(settings.model_copy(update={"database_url": postgresql.url}), stopped, reads=503)


def test_jobs_keep_the_rules_in_many_stories() -> None:
    run_state_machine_as_test(Jobs, settings=stories(STORIES))
    print(f"{STORIES} random stories of at most 30 steps: no rule broken")


@needs_postgresql
def test_jobs_keep_the_rules_in_many_stories_in_postgresql_too(postgresql: Server) -> None:
    in_postgresql = type("JobsInPostgreSQL", (Jobs,), {"url": postgresql.url})
    run_state_machine_as_test(in_postgresql, settings=stories(STORIES))
    print(f"{STORIES} random stories in PostgreSQL: no rule broken")


@needs_postgresql
def test_two_trainers_and_three_workers_share_many_jobs(postgresql: Server, tmp_path: Path) -> None:
    begin = time.monotonic()
    run_jobs(tmp_path, postgresql.new_database(), count=JOBS)
    print(f"{JOBS} jobs, a trainer killed: each ran once, {time.monotonic() - begin:.0f} s")
