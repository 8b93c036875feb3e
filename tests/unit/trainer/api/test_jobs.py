import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.api.jobs import JobError, Stage
from tests.support.api.problems import fields, problem
from tests.support.jobs.listed import as_listed
from tests.support.labelled_images import zip_bytes
from trainer.api.app import create_app
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    small = settings.model_copy(update={"max_upload_bytes": 50_000, "max_queued_jobs": 3})
    with TestClient(create_app(small), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def database(settings: Settings, api: TestClient) -> Iterator[Database]:
    database = Database(settings.jobs_database)
    yield database
    database.close()


def test_an_empty_post_queues_the_default_job(api: TestClient) -> None:
    answer = api.post("/jobs")
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert JobRequest.model_validate(job["request"]) == JobRequest()
    assert api.get(answer.headers["location"]).json() == job
    assert api.get("/jobs").json() == {"data": [as_listed(job)], "has_more": False}


def test_an_idempotency_key_makes_one_job(api: TestClient) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = (api.post("/jobs", json={"seed": 1}, headers=headers) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    other = api.post("/jobs", json={"seed": 2}, headers=headers)
    problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"epochs": 3}, "epochs", "is not a field that is known here"),
        ({"seed": "x"}, "seed", 'should be a valid integer (not "x")'),
        (
            {"hyperparameters": {"epochs": 0}},
            "hyperparameters.epochs",
            "should be greater than or equal to 1 or 'auto' (not 0)",
        ),
        (
            {"hyperparameters": {"width": "wide"}},
            "hyperparameters.width",
            "should be a valid integer or 'auto' (not \"wide\")",
        ),
        (
            {"hyperparameters": {"channels": True}},
            "hyperparameters.channels",
            "should be a whole number (not true)",
        ),
        (
            {"hyperparameters": {"channels": 1.0}},
            "hyperparameters.channels",
            "should be a whole number (not 1.0)",
        ),
        ({"labels": {"filename": {}}}, "labels.filename.pattern", "is required"),
        ([], "body", "should be an object"),
        ({"dataset": {}}, "dataset", "must have exactly one of url, id and synthetic"),
        ({"metadata": {"a": 1}}, "metadata.a", "should be a valid string (not 1)"),
        ({"base": 7}, "base", "Model default has no version yet, not 7."),
        (
            {"model": "starter"},
            "model",
            'should be another name: this one is of the model in the package (not "starter")',
        ),
        (
            {"dataset": {"id": "dataset-" + "0" * 32}},
            "dataset.id",
            f"There is no dataset dataset-{'0' * 32}.",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_right(
    api: TestClient, body: Any, field: str, message: str
) -> None:
    document = problem(api.post("/jobs", json=body), 422, "request_invalid")
    assert fields(document) == {field: message}
    assert document["field"] == field
    assert api.get("/jobs").json()["data"] == []


@pytest.mark.parametrize("body", [b"{", b'{"seed": nope}', b"\xff"])
def test_a_body_that_is_not_json_is_a_bad_request(api: TestClient, body: bytes) -> None:
    answer = api.post("/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_of_another_media_type_is_refused(api: TestClient) -> None:
    document = problem(api.post("/jobs", data={"seed": "1"}), 415, "unsupported_media_type")
    assert "application/json" in document["hint"]


def test_a_large_body_is_refused_with_its_length_announced_or_not(api: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    large = b'{"model": "' + b"a" * 2_000_000 + b'"}'
    announced = api.post("/jobs", content=large, headers=headers)
    chunked = api.post("/jobs", content=iter([large[:900_000], large[900_000:]]), headers=headers)
    problem(announced, 413, "body_too_large")
    assert chunked.status_code == 413 and "1000000 bytes" in chunked.json()["detail"]


def test_too_many_waiting_jobs_are_refused_for_a_while(api: TestClient) -> None:
    for _ in range(3):
        api.post("/jobs")
    answer = api.post("/jobs")
    problem(answer, 429, "queue_full")
    assert int(answer.headers["retry-after"]) > 0


def test_what_is_not_there_is_a_problem_too(api: TestClient) -> None:
    problem(api.get("/jobs/job-1"), 404, "job_not_found")
    problem(api.get("/jobs?after=job-1"), 404, "job_not_found")
    problem(api.get("/models/x"), 404, "model_not_found")
    problem(api.get("/datasets/x"), 404, "dataset_not_found")
    problem(api.get("/nowhere"), 404, "not_found")
    answer = api.delete("/jobs")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x"])
def test_a_limit_out_of_range_is_named(api: TestClient, query: str) -> None:
    assert "limit" in fields(problem(api.get(f"/jobs?{query}"), 422, "request_invalid"))


def test_a_job_is_cancelled_once_and_for_all(api: TestClient) -> None:
    job_id = api.post("/jobs").json()["id"]
    assert api.post(f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    problem(api.post(f"/jobs/{job_id}/cancel"), 409, "job_final")


def test_a_job_in_training_is_asked_to_finish(api: TestClient, queue: JobQueue) -> None:
    job_id = api.post("/jobs").json()["id"]
    assert (
        "queued" in problem(api.post(f"/jobs/{job_id}/finish"), 409, "job_not_training")["detail"]
    )
    claim = queue.claim()
    assert claim is not None
    queue.stage(claim, Stage.TRAIN)
    assert api.post(f"/jobs/{job_id}/finish").json()["finish_requested"]
    assert api.get(f"/jobs/{job_id}").json()["finish_requested"]
    queue.cancelled(claim)
    problem(api.post(f"/jobs/{job_id}/finish"), 409, "job_final")
    problem(api.post("/jobs/job-0/finish"), 404, "job_not_found")


def test_a_failed_job_shows_its_error(api: TestClient, queue: JobQueue) -> None:
    job_id = api.post("/jobs").json()["id"]
    claim = queue.claim()
    assert claim is not None
    queue.fail(claim, JobError(code="too_few_images", message="3 images.", hint="Send more."))
    job = api.get(f"/jobs/{job_id}").json()
    assert job["status"] == "failed" and job["error"]["hint"] == "Send more."
    problem(api.get(f"/jobs/{job_id}/report"), 409, "job_not_succeeded")


def test_the_report_of_a_job_is_that_of_its_version(
    api: TestClient, queue: JobQueue, settings: Settings, result: RunResult
) -> None:
    job_id = api.post("/jobs").json()["id"]
    claim = queue.claim()
    assert claim is not None
    queue.succeed(claim, result)
    problem(api.get(f"/jobs/{job_id}/report"), 404, "report_not_found")
    report = Path(settings.store) / "default" / "versions" / "1" / "report"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text('{"exact_match": 1.0}')
    assert api.get(f"/jobs/{job_id}/report").json() == {"exact_match": 1.0}


def test_a_damaged_version_is_listed_with_what_is_wrong(
    api: TestClient, settings: Settings
) -> None:
    version = Path(settings.store) / "plates" / "versions" / "1"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text("{}")
    model = api.get("/models/plates").json()
    assert (model["current"], model["problem"]) == (None, None)
    assert "manifest.json is not valid" in model["versions"][0]["problem"]
    (Path(settings.store) / "plates" / "current").write_text("one")
    model = api.get("/models/plates").json()
    assert model["current"] is None and "current" in model["problem"]
    assert model["versions"][0]["version"] == 1
    assert api.get("/models").json()["data"] == [model]


@pytest.mark.parametrize("field", ["file", "dataset"])
def test_a_zip_is_kept_and_can_be_trained_on(
    api: TestClient, settings: Settings, field: str
) -> None:
    data = zip_bytes()
    form = {"note": (None, "passed over"), field: ("images.zip", data, "application/zip")}
    answer = api.post("/datasets", files=form)
    assert answer.status_code == 201
    upload = answer.json()
    assert api.get(answer.headers["location"]).json() == upload
    assert (settings.uploads / f"{upload['id']}.zip").read_bytes() == data
    assert upload["bytes"] == len(data)
    assert api.post("/jobs", json={"dataset": {"id": upload["id"]}}).status_code == 202


@pytest.mark.parametrize(
    ("send", "status", "code"),
    [
        ({"files": {"file": ("x.zip", b"no zip")}}, 422, "dataset_not_a_zip"),
        ({"files": {"file": ("x.zip", zip_bytes(0))}}, 422, "dataset_not_a_zip"),
        ({"files": {"other": ("x.zip", zip_bytes())}}, 422, "request_invalid"),
        ({"files": {"file": (None, "text")}}, 422, "request_invalid"),
        ({"files": [("file", zip_bytes()), ("file", zip_bytes())]}, 422, "request_invalid"),
        ({"files": {"file": ("x.zip", b"a" * 50_001)}}, 413, "upload_too_large"),
        ({"files": {"file": ("x.zip", b"a" * 500_000)}}, 413, "body_too_large"),
        ({"content": zip_bytes()}, 415, "unsupported_media_type"),
        (
            {
                "content": b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n',
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            400,
            "form_invalid",
        ),
        (
            {
                "content": b"nonsense",
                "headers": {"Content-Type": "multipart/form-data; boundary=b"},
            },
            400,
            "form_invalid",
        ),
    ],
)
def test_an_upload_that_is_refused_leaves_nothing_behind(
    api: TestClient, settings: Settings, send: dict[str, Any], status: int, code: str
) -> None:
    problem(api.post("/datasets", **send), status, code)
    assert list(settings.uploads.iterdir()) == []


def test_events_come_as_pages(api: TestClient) -> None:
    job_id = api.post("/jobs").json()["id"]
    api.post(f"/jobs/{job_id}/cancel")
    first = api.get(f"/jobs/{job_id}/events?limit=1").json()
    assert first["data"][0]["data"]["status"] == "queued" and first["has_more"]
    after = first["data"][0]["id"]
    rest = api.get(f"/jobs/{job_id}/events?after={after}").json()
    assert rest["data"][0]["data"]["status"] == "cancelled" and not rest["has_more"]


def stream(api: TestClient, job_id: str, last: str | None = None) -> list[dict[str, str]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    answer = api.get(f"/jobs/{job_id}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [frame for frame in answer.text.split("\n\n") if frame and frame[0] != ":"]
    return [dict(line.split(": ", 1) for line in frame.splitlines()) for frame in frames]


def test_a_stream_follows_a_job_to_its_end_and_can_be_taken_up_again(
    api: TestClient, queue: JobQueue, result: RunResult
) -> None:
    job_id = api.post("/jobs").json()["id"]

    def train() -> None:
        time.sleep(1)  # the stream is open by now, most likely; it must not matter
        claim = queue.claim()
        assert claim is not None
        queue.event(claim, "warning", "Line one\nline two", {})
        queue.succeed(claim, result)

    trainer = threading.Thread(target=train)
    trainer.start()
    events = stream(api, job_id)
    trainer.join()
    assert [event["event"] for event in events] == ["status", "status", "warning", "status"]
    assert json.loads(events[-1]["data"])["data"]["status"] == "succeeded"
    assert json.loads(events[2]["data"])["message"] == "Line one\nline two"
    assert stream(api, job_id, last=events[1]["id"]) == events[2:]
    end = api.get(
        f"/jobs/{job_id}/events",
        headers={"Accept": "text/event-stream", "Last-Event-ID": events[-1]["id"]},
    )
    assert end.status_code == 204


def test_a_stream_of_no_job_is_a_problem(api: TestClient) -> None:
    answer = api.get("/jobs/job-1/events", headers={"Accept": "text/event-stream"})
    problem(answer, 404, "job_not_found")


def test_health_readiness_and_metrics(api: TestClient, settings: Settings) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    ready = api.get("/readyz")
    assert ready.status_code == 200 and ready.json()["workers"] == 0
    api.post("/jobs")
    text = api.get("/metrics").text
    assert 'readsmith_jobs{status="queued"} 1.0' in text
    assert 'route="/jobs",status="202"} 1.0' in text
    Path(settings.store).rmdir()
    assert api.get("/readyz").status_code == 503


def test_a_broken_database_is_a_problem_not_a_crash(api: TestClient, database: Database) -> None:
    with database.writing.begin() as connection:
        connection.exec_driver_sql("DROP TABLE events")
        connection.exec_driver_sql("DROP TABLE jobs")
    problem(api.get("/jobs"), 503, "database_unavailable")


def test_an_unforeseen_error_tells_nothing_of_the_inside(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(JobStore, "get", fail)
    answer = api.get("/jobs/job-1")
    problem(answer, 500, "internal_error")
    assert "secret" not in answer.text


def test_openapi_describes_every_routes_problems(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    assert api.get("/docs").status_code == 200
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wrong = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
            for status, response in wrong.items():
                if path in ("/healthz", "/readyz"):
                    continue
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (path, method, status)
    for reference in _references(document):
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
