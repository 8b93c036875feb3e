"""What the page on PostgreSQL has people type into it."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.support.code_blocks import blocks
from tests.support.paths import ROOT
from tests.support.services.postgresql import Server, needs_postgresql, running_server
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest

PAGE = ROOT / "docs" / "how-to" / "postgresql.md"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@needs_postgresql
def test_old_jobs_are_deleted_as_shown_and_no_others(server: Server) -> None:
    [shown] = [block.code for block in blocks(PAGE) if block.language == "sql"]
    database = Database(server.url)
    store = JobStore(database, max_queued_jobs=10)
    old, fresh, waiting = (store.create(JobRequest()).id for _ in range(3))
    for job_id in (old, fresh):
        store.cancel(job_id)
    with closing(psycopg.connect(f"host={server.folder} user=postgres", autocommit=True)) as typed:
        typed.execute("UPDATE jobs SET finished_at = 0 WHERE id = %s", [old])
        typed.execute(shown.encode())
    assert [job.id for job in store.page(10).data] == [waiting, fresh]
    assert len(store.events(fresh, 10).data) == 2
    database.close()
