import json
from typing import Any

from tests.readsmith.conftest import Run, serving

JOB: dict[str, Any] = {
    "id": "job-1",
    "status": "failed",
    "stage": None,
    "model": "default",
    "created_at": "2026-01-02T03:04:05Z",
    "progress": {"exact_match": 0.25},
    "metrics": None,
    "version": None,
    "error": {"code": "too_few_images", "message": "3 images were found.", "hint": ""},
}


def test_jobs_lists_what_the_trainer_knows(run: Run) -> None:
    asked = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append((method, path))
        return 200, {"data": [JOB], "has_more": False}

    with serving(answer) as url:
        listed = run("jobs", "--url", url, "--limit", 5).stdout
        data = json.loads(run("jobs", "--url", url, "--json").stdout)["data"]

    assert asked[0] == ("GET", "/jobs?limit=5")
    assert data == [JOB]
    assert "25.0 %" in listed
    assert "failed" in listed


def test_one_job_is_shown_or_cancelled(run: Run) -> None:
    asked = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append((method, path))
        return 200, JOB

    with serving(answer) as url:
        assert json.loads(run("jobs", "job-1", "--url", url, "--json").stdout) == JOB
        run("jobs", "job-1", "--cancel", "--url", url)

    assert asked == [("GET", "/jobs/job-1"), ("POST", "/jobs/job-1/cancel")]


def test_a_problem_document_becomes_the_error(run: Run) -> None:
    problem = {"title": "Not found", "detail": "There is no job job-9.", "code": "job_not_found"}

    with serving(lambda *_: (404, problem)) as url:
        result = run("jobs", "job-9", "--url", url, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["code"] == "job_not_found"
    assert json.loads(result.stderr)["error"]["message"] == "There is no job job-9."


def test_where_nothing_answers_the_error_says_what_to_start(run: Run) -> None:
    with serving(lambda *_: (200, {})) as url:
        pass

    result = run("jobs", "--url", url)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Nothing answers at {url}.\n"
        "Start the services with `readsmith up`, or give another --url.\n"
    )


def test_predict_through_a_url_names_the_model(run: Run, pictures: Any) -> None:
    asked = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append((method, path, (pictures / "ab.png").read_bytes() in body))
        return 200, {"text": "ab", "confidence": 0.9, "model": "stripes", "version": 4}

    with serving(answer) as url:
        result = run("predict", pictures / "ab.png", "--url", url, "--model", "stripes", "--json")

    assert json.loads(result.stdout)["results"][0]["version"] == 4
    assert asked == [("POST", "/predict?model=stripes", True)]
