"""A disk that is full, a database that is locked or gone: clear answers, then all goes on."""

import errno
import resource
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from shared.errors import ReadsmithError
from shared.store.manifest import verify_files
from shared.store.store import ModelStore
from tests.support.jobs.listed import as_listed
from tests.support.labelled_images import write_zip
from tests.support.models import bundles
from trainer.api.app import create_app
from trainer.database import engine as sqlite
from trainer.database.job_store import JobStore
from trainer.database.tables import Database, retried
from trainer.files.disk_errors import storage_error
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        yield client


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk, writing fails, without a disk to be filled."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the lock that every write needs."""
    with closing(sqlite3.connect(settings.state / "jobs.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["hint"] and "Traceback" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
    return str(answer.json()["detail"])


def test_an_upload_that_finds_no_room_leaves_nothing_and_can_be_sent_again(
    api: TestClient, settings: Settings, tmp_path: Path
) -> None:
    form = {"file": write_zip(tmp_path / "x.zip", {"a.png": bytes(300_000)}).read_bytes()}
    with no_file_larger_than(200_000):
        detail = problem(api.post("/datasets", files=form), 507, "disk_full")
    assert str(tmp_path) not in detail
    assert list(settings.uploads.iterdir()) == []
    assert api.post("/datasets", files=form).status_code == 201


def test_a_database_that_cannot_grow_refuses_jobs_and_still_shows_them(api: TestClient) -> None:
    before = api.post("/jobs").json()
    with no_file_larger_than(20_000):
        problem(api.post("/jobs"), 503, "database_unavailable")
        assert api.get("/jobs").json()["data"] == [as_listed(before)]
    assert api.post("/jobs").status_code == 202
    assert len(api.get("/jobs").json()["data"]) == 2


def test_a_locked_database_is_read_and_a_write_is_refused_for_now(
    api: TestClient, settings: Settings
) -> None:
    job_id = api.post("/jobs").json()["id"]
    with locked(settings):
        assert "locked" in problem(api.post("/jobs"), 503, "database_unavailable")
        problem(api.post(f"/jobs/{job_id}/cancel"), 503, "database_unavailable")
        assert api.get(f"/jobs/{job_id}").json()["status"] == "queued"
        Database(settings.jobs_database).close()
    assert api.post(f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"


def test_a_run_waits_for_a_locked_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings.jobs_database)
    store = JobStore(database, max_queued_jobs=1)
    held = locked(settings)
    held.__enter__()
    let_go = SimpleNamespace(
        monotonic=time.monotonic, sleep=lambda _: held.__exit__(None, None, None)
    )
    monkeypatch.setattr("trainer.database.tables.time", let_go)  # other threads sleep, too
    job = retried(lambda: store.create(JobRequest()))
    assert store.get(job.id) == job
    database.close()


def test_a_run_does_not_wait_for_ever(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(settings.jobs_database)
    store = JobStore(database, max_queued_jobs=1)
    monkeypatch.setattr("trainer.database.tables.TIMEOUT_SECONDS", 0)
    with locked(settings), pytest.raises(OperationalError):
        retried(lambda: store.create(JobRequest()))
    database.close()


@pytest.mark.parametrize("what", ["state", "state/jobs.sqlite"])
def test_a_database_that_is_gone_is_not_begun_anew_and_may_come_back(
    api: TestClient, settings: Settings, tmp_path: Path, what: str
) -> None:
    job_id = api.post("/jobs").json()["id"]
    gone, elsewhere = tmp_path / what, tmp_path / "elsewhere"
    gone.rename(elsewhere)
    for _ in range(2):
        assert "gone" in problem(api.post("/jobs"), 503, "database_unavailable")
        problem(api.get(f"/jobs/{job_id}"), 503, "database_unavailable")
    assert not gone.exists()
    assert api.get("/readyz").status_code == 503
    elsewhere.rename(gone)
    assert api.get(f"/jobs/{job_id}").json()["status"] == "queued"
    assert api.post("/jobs").status_code == 202


def test_a_store_that_is_gone_is_told_until_it_is_back(
    api: TestClient, settings: Settings, tmp_path: Path
) -> None:
    store = ModelStore(settings.store)
    assert api.get("/readyz").json()["store"] == "ok"  # before the first model, too
    bundles.publish(store, tmp_path / "1")
    assert api.get("/readyz").status_code == 200
    elsewhere = store.root.rename(tmp_path / "elsewhere")
    for unmounted in (False, True):
        if unmounted:
            store.root.mkdir()
        ready = api.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert "not mounted any more" in ready.json()["store"]
    store.root.rmdir()
    elsewhere.rename(store.root)
    assert api.get("/readyz").json()["store"] == "ok"


def test_a_store_that_a_user_has_emptied_is_not_gone(
    api: TestClient, settings: Settings, tmp_path: Path
) -> None:
    store = ModelStore(settings.store)
    bundles.publish(store, tmp_path / "1")
    assert api.get("/readyz").status_code == 200
    shutil.rmtree(store.root / "default")
    assert api.get("/readyz").status_code == 200


def test_a_version_that_finds_no_room_is_not_seen_and_the_served_one_stays(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    served = bundles.publish(store, tmp_path / "1")
    with no_file_larger_than(100_000), pytest.raises(OSError, match="File too large") as caught:
        bundles.publish(store, tmp_path / "1", files={"report/x": bytes(100_001)})
    error = storage_error(caught.value)
    assert error is not None and error.code == "disk_full"
    assert (store.versions("default"), store.current("default")) == ([1], 1)
    assert [path.name for path in (store.root / "default" / "versions").iterdir()] == ["1"]
    verify_files(store.folder("default", 1), served.files)
    assert bundles.publish(store, tmp_path / "2").version == 2


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EROFS, "storage_unavailable"),
        (errno.EACCES, "storage_unavailable"),
        (errno.EIO, "storage_unavailable"),
        (errno.ECONNRESET, None),
    ],
)
def test_what_is_wrong_with_a_disk_is_told_without_its_paths(number: int, code: str | None) -> None:
    error = storage_error(OSError(number, "It failed", "/secret/place/x.h5"))
    assert (error and error.code) == code
    if isinstance(error, ReadsmithError):
        assert "x.h5" in error.message and "secret" not in error.message
