"""Lists are pages, limited in rows and in bytes; they leave out what is large."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from shared.store.store import ModelStore
from tests.support.api.problems import problem
from tests.support.jobs.listed import as_listed
from tests.support.labelled_images import image, labelled_zip
from tests.support.models import bundles
from trainer.api.app import create_app
from trainer.database import pages
from trainer.settings import Settings

RELABEL = {f"{number:05}{'x' * 55}.png": "2b827" for number in range(9_000)}


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def pages_of(api: TestClient, path: str, cursor: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    """Ask for page after page as the description says, and yield what each holds."""
    after = ""
    while True:
        page = api.get(f"{path}?limit={limit}{after}").json()
        yield page["data"]
        if not page["has_more"]:
            return
        after = f"&after={page['data'][-1][cursor]}"


def test_a_list_of_jobs_leaves_out_what_is_large_and_a_job_has_it(api: TestClient) -> None:
    jobs = [api.post("/jobs", json={"relabel": RELABEL}).json() for _ in range(3)]
    assert jobs[0]["request"]["relabel"] == RELABEL
    listed = api.get("/jobs")
    assert listed.json()["data"] == [as_listed(job) for job in reversed(jobs)]
    assert len(listed.content) < 10_000
    assert api.get(f"/jobs/{jobs[0]['id']}").json() == jobs[0]


def test_a_list_of_jobs_does_not_read_what_is_large(api: TestClient) -> None:
    api.post("/jobs", json={"relabel": {"a.png": "b"}})
    read: list[str] = []
    engine = api.app.state.services.database.reading  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *a: read.append(a[2]))
    api.get("/jobs")
    [query] = [each for each in read if "FROM jobs" in each]
    columns = query.partition("FROM")[0]
    assert "coalesce(jobs.listed, jobs.request)" in columns
    assert "jobs.dataset" not in columns


def test_a_request_that_is_too_large_is_refused(api: TestClient) -> None:
    names = {f"{number:05}{'x' * 500}.png": "2b827" for number in range(2_000)}
    problem(api.post("/jobs", json={"relabel": names}), 413, "body_too_large")
    assert api.get("/jobs").json()["data"] == []


def test_each_list_ends_a_page_early_by_bytes_and_goes_on_after_it(
    api: TestClient, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(settings.store)
    for number in range(3):
        assert api.post("/jobs").status_code == 202
        bundles.publish(store, tmp_path / f"build-{number}", model=f"model-{number}")
        set_of_one = labelled_zip(tmp_path / f"{number}.zip", [f"{number}a"])
        api.post("/datasets", files={"file": set_of_one.read_bytes()})
        form = {"image": image("AB", seed=number)}
        api.post("/models/m/corrections", files=form, data={"text": "AB"})
    [job, *_] = api.get("/jobs").json()["data"]
    api.post(f"/jobs/{job['id']}/cancel")

    lists = {
        "/jobs": ("id", 3),
        f"/jobs/{job['id']}/events": ("id", 2),
        "/datasets": ("id", 3),
        "/models": ("name", 3),
        "/models/m/corrections": ("id", 3),
    }
    for path, (cursor, count) in lists.items():
        [whole] = pages_of(api, path, cursor, 100)
        assert len(whole) == count, path
        by_rows = list(pages_of(api, path, cursor, 1))
        assert by_rows == [[row] for row in whole], path
        with monkeypatch.context() as patched:
            patched.setattr(pages, "PAGE_BYTES", 10)
            assert list(pages_of(api, path, cursor, 100)) == by_rows, path
