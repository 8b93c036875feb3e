"""A PostgreSQL that is cut off, restarted, paused or read-only for a while: jobs go on."""

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from shared.api.jobs import Status
from tests.support.jobs.killed_jobs import require_one_version, workers
from tests.support.services.postgresql import Server, needs_postgresql, running_server
from tests.support.services.workers import wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings

SECONDS = 2.0

pytestmark = needs_postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def say(server: Server, *statements: str) -> None:
    """Tell the server something, over a connection of its own that stays writable."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"


def cut(server: Server) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        say(server, f"{CUT} AND backend_type = 'client backend'")
        time.sleep(0.1)


def restart(server: Server) -> None:
    server.stop()
    time.sleep(SECONDS)
    server.start()


def pause(server: Server) -> None:
    server.pause()
    time.sleep(SECONDS)
    server.resume()


def read_only(server: Server) -> None:
    change = "ALTER SYSTEM SET default_transaction_read_only = {}"
    say(server, change.format("on"), "SELECT pg_reload_conf()")
    time.sleep(SECONDS)
    say(server, change.format("off"), "SELECT pg_reload_conf()")


@pytest.mark.parametrize("fault", [cut, restart, pause, read_only])
def test_a_job_goes_on_where_it_was(
    server: Server, settings: Settings, fault: Callable[[Server], None]
) -> None:
    settings = settings.model_copy(update={"database_url": server.new_database()})
    database = Database(settings.jobs_database)
    store = JobStore(database, max_queued_jobs=1)
    job_id = store.create(JobRequest(metadata={"epoch_seconds": "0.5"})).id
    with workers(settings, "small"):
        wait_until(lambda: store.get(job_id).progress, seconds=120)
        fault(server)
        wait_until(lambda: store.get(job_id).status.is_final, seconds=120)
    job = store.get(job_id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1), job.error
    require_one_version(settings, job)
    database.close()
