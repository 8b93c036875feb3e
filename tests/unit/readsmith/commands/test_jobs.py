import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.services.scripted_api import serving

JOB: dict[str, Any] = {
    "id": "job-1",
    "status": "failed",
    "stage": None,
    "model": "default",
    "preset": "conv",
    "metadata": {},
    "attempt": 1,
    "created_at": "2026-01-02T03:04:05Z",
    "request": {"dataset": {"url": "https://example.org/set.zip"}},
    "progress": {
        "epoch": 1, "epochs": 9, "loss": 0.5, "validation_loss": 0.6, "exact_match": 0.25,
        "images_per_second": 90.0, "seconds": 9.0, "seconds_left": 65.0,
        "estimated_finish_at": "2026-01-02T03:04:05Z",
    },
    "metrics": None,
    "version": None,
    "error": {"code": "too_few_images", "message": "3 images were found.", "hint": ""},
}  # fmt: skip


def test_jobs_lists_what_the_trainer_knows(run: Run) -> None:
    asked = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append((method, path))
        return 200, {"data": [JOB], "has_more": False}

    with serving(answer) as url:
        listed = run("jobs", "list", "--url", url, "--limit", 5).stdout
        data = json.loads(run("jobs", "list", "--url", url, "--json").stdout)["data"]

    assert asked[0] == ("GET", "/jobs?limit=5")
    assert data == [JOB]
    assert "25.0 %" in listed
    assert "failed" in listed


def test_a_job_in_training_shows_its_time_left_and_is_asked_to_finish(run: Run) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=65)
    progress = JOB["progress"] | {"estimated_finish_at": soon.isoformat()}
    training = JOB | {"status": "running", "stage": "train", "error": None, "progress": progress}
    asked = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append((method, path))
        return 200, training

    with serving(answer) as url:
        shown = run("jobs", "show", "job-1", "--url", url).stdout
        run("jobs", "finish", "job-1", "--url", url)

    assert "job-1 trains: epoch 1 of 9, about 1:0" in shown
    assert asked == [("GET", "/jobs/job-1"), ("POST", "/jobs/job-1/finish")]


def test_a_problem_document_becomes_the_error(run: Run) -> None:
    problem = {
        "title": "Not found", "status": 404, "detail": "There is no job job-9.",
        "code": "job_not_found",
    }  # fmt: skip

    with serving(lambda *_: (404, problem)) as url:
        result = run("jobs", "show", "job-9", "--url", url, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["code"] == "job_not_found"
    assert json.loads(result.stderr)["error"]["message"] == "There is no job job-9."


def test_the_trainer_is_the_one_that_the_settings_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda *_: (200, {"data": [JOB], "has_more": False})) as url:
        monkeypatch.setenv("READSMITH_TRAINER_URL", url)
        by_url = run("jobs", "list")
        monkeypatch.delenv("READSMITH_TRAINER_URL")
        monkeypatch.setenv("READSMITH_TRAINER_PORT", url.rpartition(":")[2])
        by_port = run("jobs", "list", "--json")

    assert (by_url.exit_code, by_port.exit_code) == (0, 0)
    assert JOB["id"] in by_url.stdout
    assert json.loads(by_port.stdout)["data"] == [JOB]


def test_where_nothing_answers_the_error_says_what_to_start(run: Run) -> None:
    with serving(lambda *_: (200, {})) as url:
        pass

    result = run("jobs", "list", "--url", url)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Nothing answers at {url}.\n"
        "Start the services with `readsmith up`, or give another --url.\n"
    )
