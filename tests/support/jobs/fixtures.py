"""A job database for each test: SQLite, and PostgreSQL where it is installed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.store.manifest import Metrics
from tests.support.models.bundles import calibration
from tests.support.services.postgresql import needs_postgresql
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database, tables
from trainer.schemas.progress import RunResult
from trainer.settings import Settings

EITHER = ("sqlite", pytest.param("postgresql", marks=needs_postgresql))
"""The databases that jobs may lie in; parameters of a fixture."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        store=tmp_path / "models",
        state=tmp_path / "state",
        lease_seconds=30,
        keys=tmp_path / "keys.json",
        predictor_url="http://127.0.0.1:1",  # where nobody answers
        allowed_hosts="testserver",  # as TestClient calls it
    )


@pytest.fixture(params=EITHER)
def database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(settings.jobs_database)
    else:
        database = Database(request.getfixturevalue("postgresql").url)
        with database.writing.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(tables.tables)}"))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database, max_queued_jobs=100)


@pytest.fixture
def queue(database: Database) -> JobQueue:
    return JobQueue(database, lease_seconds=30, max_attempts=3)


@pytest.fixture
def expire(database: Database) -> Callable[[], None]:
    """Make every lease run out at once, so that no test has to wait."""

    def expire_leases() -> None:
        with database.writing.begin() as connection:
            connection.execute(text("UPDATE jobs SET lease_until = 0 WHERE status = 'running'"))

    return expire_leases


def run_result() -> RunResult:
    """Return what a run that published version 1 tells."""
    metrics = Metrics(
        train_images=8,
        validation_images=1,
        test_images=1,
        exact_match=1.0,
        exact_match_interval=(0.2, 1.0),
        cer=0.0,
        mean_confidence=0.9,
        validation_exact_match=1.0,
        train_seconds=1.5,
        images_per_second=10.0,
        epochs=2,
    )
    return RunResult(
        model="default",
        version=1,
        metrics=metrics,
        calibration=calibration(),
        seconds_to={"0.95": 1.0, "0.99": None},
        parameters={"epochs": 2},
        preset="crnn",
    )


@pytest.fixture
def result() -> RunResult:
    return run_result()
