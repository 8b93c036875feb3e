"""What is served at / and below /dashboard, asked without a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shared.access.tokens import Scope
from tests.support.api.keys import bearer
from trainer.api.app import create_app
from trainer.api.pages import FOLDER
from trainer.settings import Settings

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*"))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a trainer that asks for keys, without one."""
    folder = tmp_path_factory.mktemp("closed")
    settings = Settings(store=folder / "m", state=folder / "s", keys=folder / "keys.json")
    bearer(settings.keys, "somebody", Scope.TRAIN)
    with TestClient(create_app(settings)) as client:
        yield client


def test_the_dashboard_is_shown_without_a_key_and_nothing_else_is(api: TestClient) -> None:
    assert api.get("/").text == (FOLDER / "index.html").read_text(encoding="utf-8")
    assert all(api.get(f"/dashboard/{name}").status_code == 200 for name in FILES)
    for path in ("/jobs", "/dashboard", "/dashboardx", "/dashboard/%2e%2e/jobs"):
        assert api.get(path).status_code in (401, 404), path


@pytest.mark.parametrize("path", ["%2e%2e/app.py", "pages/..%2f..%2fapp.py", "%2fetc/passwd"])
def test_no_path_leads_out_of_the_folder(api: TestClient, path: str) -> None:
    assert api.get(f"/dashboard/{path}").status_code == 404


def test_a_missing_file_is_a_problem_document(api: TestClient) -> None:
    answer = api.get("/dashboard/pages/nothing.js")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_browsers_are_told_to_run_nothing_but_our_own_files(api: TestClient) -> None:
    for path in ("/", *(f"/dashboard/{name}" for name in FILES)):
        headers = api.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; "), path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path


def test_modules_have_a_type_that_browsers_run(api: TestClient) -> None:
    assert api.get("/dashboard/app.js").headers["Content-Type"].startswith("text/javascript")


def test_an_unchanged_file_is_not_sent_again_and_an_update_is_seen_at_once(api: TestClient) -> None:
    first = api.get("/dashboard/app.js")
    again = api.get("/dashboard/app.js", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_the_description_of_the_api_does_not_name_it(api: TestClient, tmp_path: Path) -> None:
    app = create_app(Settings(store=tmp_path / "m", state=tmp_path / "s"))

    assert not any(path == "/" or "dashboard" in path for path in app.openapi()["paths"])


# Swagger UI names other hosts and asks none: tests/browser/test_docs.py would see it.
@pytest.mark.parametrize("name", [name for name in FILES if "swagger-ui/" not in name])
def test_files_name_no_other_host_and_need_no_unsafe_policy(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")

    hosts = set(re.findall(r"https?://([\w.-]+)", text)) - {"www.w3.org", "example.org"}
    assert hosts <= {"127.0.0.1", "localhost"}
    assert not re.search(r"innerHTML|\beval\(|document\.write|style=\"|onclick=\"", text)
