"""HEAD is answered as GET is, without a body."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from trainer.api.app import create_app
from trainer.settings import Settings

VARYING = {"date", "server-timing", "content-length"}


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_every_get_route_takes_head(api: TestClient) -> None:
    job = api.post("/jobs").json()["id"]
    described = api.get("/openapi.json").json()["paths"]
    paths = [path for path, operations in described.items() if "get" in operations]
    assert len(paths) > 15
    others = ["/", "/docs", "/openapi.json", "/dashboard/app.js", "/nothing"]
    for path in [re.sub(r"\{.*?\}", "1", each.replace("{job_id}", job)) for each in paths] + others:
        got, head = api.get(path), api.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        for name in set(got.headers) - VARYING:
            assert head.headers[name] == got.headers[name], (path, name)
        if path != "/metrics":  # which counts the request before it
            length = "content-length"
            assert head.headers.get(length) == got.headers.get(length), path


def test_head_of_a_stream_ends_after_the_headers(api: TestClient) -> None:
    job = api.post("/jobs").json()["id"]
    stream = api.head(f"/jobs/{job}/events", headers={"Accept": "text/event-stream"})
    assert stream.status_code == 200
    assert stream.headers["content-type"].startswith("text/event-stream")


def test_head_is_not_described_and_is_counted_and_allowed(api: TestClient) -> None:
    described = api.get("/openapi.json").json()["paths"]
    assert not any("head" in operations for operations in described.values())
    assert api.put("/jobs").headers["allow"] == "GET, HEAD, POST"
    api.head("/jobs")
    counted = 'readsmith_trainer_requests_total{method="HEAD",route="/jobs",status="200"} 1.0'
    assert counted in api.get("/metrics").text
    assert api.head("/jobs/1/cancel").status_code == 405
