"""The job database's tables, from their first form to today's."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, delete, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from shared.api.jobs import Status
from shared.errors import ReadsmithError
from tests.support.jobs.fixtures import EITHER
from tests.support.labelled_images import image
from tests.support.services.postgresql import Server, needs_postgresql
from trainer.database import schema
from trainer.database.datasets.images import DatasetImages
from trainer.database.datasets.living import LivingDatasets
from trainer.database.datasets.room import DatasetRoom
from trainer.database.engine import open_engine
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database, jobs, tables
from trainer.files.shared_files import upload_name
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings

JOBS = [
    {"number": 7, "id": "job-a", "status": "succeeded", "idempotency_key": "k", "attempt": 1},
    {"number": 8, "id": "job-b", "status": "running", "idempotency_key": None, "attempt": 2},
    {"number": 9, "id": "job-c", "status": "queued", "idempotency_key": None, "attempt": 0},
]


@pytest.fixture(params=EITHER)
def url(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The URL of a database without any tables."""
    if request.param == "sqlite":
        return settings.jobs_database
    new: str = request.getfixturevalue("postgresql").new_database()
    return new


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """The same, not migrated."""
    if url.startswith("sqlite"):
        open_engine(url, create=True).dispose()
    database = Database(url, migrate=False)
    yield database
    database.close()


def fill(database: Database, revision: str) -> None:
    """Make a database as an earlier program left it, with jobs in it."""
    request = JobRequest(model="plates").model_dump(mode="json")
    flags = {"losses": 0, "cancel_requested": False, "publishing": False}
    with database.writing.begin() as connection:
        schema.migrate(connection, revision)
        jobs = Table("jobs", MetaData(), autoload_with=connection)
        events = Table("events", MetaData(), autoload_with=connection)
        for job in JOBS:
            times = {"created_at": 1.7e9, "lease_until": 9e9}
            connection.execute(insert(jobs).values(request=request, **job, **flags, **times))
            told = {"at": 1.7e9, "type": "status", "message": "Queued.", "data": {}}
            connection.execute(insert(events).values(job_id=job["id"], **told))


def opened(url: str) -> str:
    """Open and close a database as a service that starts does; returns what went wrong."""
    try:
        Database(url).close()
    except ReadsmithError as error:
        return error.code
    return ""


def test_the_migrations_make_the_tables_that_the_code_uses(empty: Database) -> None:
    with empty.writing.begin() as connection:
        schema.migrate(connection)
    with empty.reading.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables) == []


def test_the_revisions_are_numbered_on_and_are_those_that_alembic_sees() -> None:
    script = ScriptDirectory(str(schema.MIGRATIONS))
    numbers = [revision.revision for revision in script.walk_revisions()][::-1]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert schema.newest_revision() == numbers[-1]


@pytest.mark.parametrize("noted", [True, False])
def test_a_database_of_the_first_revision_keeps_every_job(
    empty: Database, url: str, noted: bool
) -> None:
    """noted: whether the database says its revision; those from before migrations do not."""
    fill(empty, "0001")
    if not noted:
        with empty.writing.begin() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
    database = Database(url)
    store = JobStore(database, max_queued_jobs=10)
    seen = {job.id: (job.status, job.attempt, job.model) for job in store.page(10).data}
    assert seen == {job["id"]: (job["status"], job["attempt"], "plates") for job in JOBS}
    assert store.repeated(JobRequest(model="plates"), "k") == store.get("job-a")
    assert [event.message for event in store.events("job-b", 10).data] == ["Queued."]
    claim = JobQueue(database, lease_seconds=30, max_attempts=3).claim()
    assert claim == ("job-c", 1)
    assert store.create(JobRequest()).status is Status.QUEUED
    database.close()


def test_what_lists_show_of_earlier_jobs_is_set_apart_from_what_is_large(
    empty: Database, url: str
) -> None:
    fill(empty, "0004")
    with empty.writing.begin() as connection:
        large = JobRequest(model="plates", relabel={"a.png": "b"}).model_dump(mode="json")
        connection.execute(update(jobs).where(jobs.c.id == "job-a").values(request=large))
    database = Database(url)
    store = JobStore(database, max_queued_jobs=10)
    assert store.get("job-a").request["relabel"] == {"a.png": "b"}
    with database.writing.begin() as connection:
        [listed] = connection.scalars(select(jobs.c.listed).where(jobs.c.id == "job-a"))
        assert listed == {name: value for name, value in large.items() if name != "relabel"}
        # as a trainer of the release before, still running, leaves a job
        connection.execute(update(jobs).values(listed=None))
    for job in store.page(10).data:
        assert job.model == "plates" and "relabel" not in job.request
    database.close()


def test_uploads_from_before_living_datasets_stay_what_they_are(
    empty: Database, url: str, settings: Settings
) -> None:
    fill(empty, "0006")
    upload = {"id": "dataset-" + "0" * 32, "bytes": 7, "sha256": "a" * 64, "created_at": 1.7e9}
    with empty.writing.begin() as connection:
        earlier = Table("datasets", MetaData(), autoload_with=connection)
        connection.execute(insert(earlier).values(upload))
    database = Database(url)
    files = settings.open_shared_files()
    files.write(b"a zip", upload_name(str(upload["id"])))
    living = LivingDatasets(database, files)
    new = living.create("meters").id
    assert [each.id for each in living.page(10).data] == [new, upload["id"]]
    with pytest.raises(ReadsmithError) as caught:
        living.get(str(upload["id"]))
    assert caught.value.code == "dataset_frozen"
    # A trainer of the release before, still running, takes the oldest dataset for an upload.
    DatasetImages(database, files, DatasetRoom(database, files, 10**9)).add(
        new, [("a.png", image("A"))]
    )
    with pytest.raises(IntegrityError), database.writing.begin() as connection:
        connection.execute(delete(earlier).where(earlier.c.id == new))
    claim = JobQueue(database, lease_seconds=30, max_attempts=3).claim()
    assert claim is not None and claim.job_id == "job-c"  # queued before jobs had kinds
    database.close()


@needs_postgresql
def test_a_database_of_the_first_revision_gets_room_for_more_events(postgresql: Server) -> None:
    url = postgresql.new_database()
    fill(Database(url, migrate=False), "0001")
    database = Database(url)
    store = JobStore(database, max_queued_jobs=10)
    with database.writing.begin() as connection:
        for sequence in ("jobs_number_seq", "events_id_seq", "corrections_number_seq"):
            connection.execute(text(f"SELECT setval('{sequence}', {2**31})"))
    job = store.create(JobRequest())
    (event,) = store.events(job.id, 10, after=2**31).data
    assert event.id > 2**31
    database.close()


def test_tables_that_an_old_database_lacks_are_made(empty: Database, url: str) -> None:
    fill(empty, "0001")
    with empty.writing.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("DROP TABLE corrections"))
    assert opened(url) == ""
    with empty.reading.begin() as connection:
        assert inspect(connection).has_table("corrections")


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(time.sleep, [1] * 3))  # until each has started
        yield pool


@pytest.mark.parametrize("old", [True, False])
def test_services_that_start_together_migrate_once(
    processes: ProcessPoolExecutor, empty: Database, url: str, old: bool
) -> None:
    if old:
        fill(empty, "0001")
    assert list(processes.map(opened, [url] * 6)) == [""] * 6
    with empty.reading.begin() as connection:
        assert schema.is_current(connection)


def test_a_migration_that_fails_changes_nothing(
    empty: Database, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(empty, "0001")
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    (migrations / "versions" / "9999_broken.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', '{schema.newest_revision()}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half (a INTEGER)')\n"
        "    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", migrations)
        assert opened(url) == "database_unavailable"
    with empty.reading.begin() as connection:
        assert not inspect(connection).has_table("half")
        assert schema.revision_of(connection) == "0001"
    assert opened(url) == ""


def test_a_database_of_a_newer_program_is_refused(empty: Database, url: str) -> None:
    fill(empty, "head")
    with empty.writing.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ReadsmithError, match="revision 9999") as caught:
        Database(url)
    assert caught.value.code == "database_newer"


def test_a_new_database_needs_no_steps_and_has_the_same_tables(empty: Database, url: str) -> None:
    make = f"import sys; from trainer.database.tables import Database; Database({url!r});"
    subprocess.run([sys.executable, "-c", f"{make} sys.exit('alembic' in sys.modules)"], check=True)
    with empty.writing.begin() as connection:
        schema.migrate(connection)  # nothing is left to do
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == schema.newest_revision()
        assert compare_metadata(context, tables) == []


def test_the_child_of_a_service_migrates_nothing(empty: Database) -> None:
    with empty.reading.begin() as connection:
        assert inspect(connection).get_table_names() == []
