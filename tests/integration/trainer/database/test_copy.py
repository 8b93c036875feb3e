import subprocess
import sys
from pathlib import Path

import pytest

from shared.api.jobs import JobError
from shared.errors import ReadsmithError
from tests.support.paths import ROOT
from tests.support.services.postgresql import Server, needs_postgresql
from trainer.database.copy import copy_jobs
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with a job that failed and two that wait."""
    file = tmp_path / "jobs.sqlite"
    database = Database(f"sqlite:///{file}")
    store = JobStore(database, max_queued_jobs=10)
    for number in range(3):
        store.create(JobRequest(metadata={"number": f"{number}"}), f"key-{number}")
    queue = JobQueue(database, lease_seconds=30, max_attempts=3)
    claim = queue.claim()
    assert claim is not None
    queue.fail(claim, JobError(code="x", message="It failed."))
    database.close()
    return file


@needs_postgresql
def test_jobs_move_from_sqlite_to_postgresql_with_all_that_was_told(
    postgresql: Server, file: Path
) -> None:
    url = postgresql.new_database()
    done = subprocess.run(
        [sys.executable, "-m", "trainer.database.copy", str(file)],
        env={"READSMITH_DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 jobs" in done.stdout
    old, new = Database(f"sqlite:///{file}"), Database(url)
    before, after = (JobStore(each, max_queued_jobs=10) for each in (old, new))
    assert after.page(10) == before.page(10)
    for job in before.page(10).data:
        assert after.events(job.id, 10) == before.events(job.id, 10)
    first = before.page(10).data[-1]
    assert after.repeated(JobRequest.model_validate(first.request), "key-0") == after.get(first.id)
    added = after.create(JobRequest())
    assert [job.id for job in after.page(1).data] == [added.id] and len(after.page(10).data) == 4
    with pytest.raises(ReadsmithError) as caught:
        copy_jobs(file, new)
    assert caught.value.code == "database_not_empty"
    old.close()
    new.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ReadsmithError, match="no file") as caught:
        copy_jobs(tmp_path / "x.sqlite", Database(f"sqlite:///{file}"))
    assert caught.value.code == "file_not_found"
    assert not (tmp_path / "x.sqlite").exists()
