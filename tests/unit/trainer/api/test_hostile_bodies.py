"""Bodies and queries that are made to break something are problems, never errors of ours."""

import json
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from trainer.api.app import create_app
from trainer.settings import Settings

MARKS = "a" + "\u0301" * 40_000 + "\u0316" * 40_000
"""Composing them takes half a minute or more."""
MOST_SECONDS = 10.0
"""Usually some milliseconds."""
JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n'


def search_choices(text: str) -> bytes:
    return json.dumps({"search": {"parameters": {"preset": {"choices": [text]}}}}).encode()


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/jobs", JSON, b"[" * 400_000),
        ("/jobs", JSON, b'{"metadata": ' + b"[" * 900 + b"]" * 900 + b"}"),
        ("/jobs", JSON, b'{"a":' * 900 + b"1" + b"}" * 900),
        ("/jobs", JSON, b'{"model": "\\ud800"}'),
        ("/jobs", JSON, b'{"\\ud800": 1}'),
        ("/jobs", JSON, b'{"metadata": {"\\udfff": "\\ud800"}}'),
        ("/jobs", JSON, b'{"seed": ' + b"9" * 5000 + b"}"),
        ("/jobs", JSON, b'{"seed": NaN, "hyperparameters": {"learning_rate": Infinity}}'),
        ("/jobs", JSON, b'{"seed": -1e999}'),
        ("/jobs", JSON, b'{"model": "\xff\xfe"}'),
        ("/jobs", JSON, b"\x00\xd8" * 100),
        ("/jobs", JSON, b'{"labels": {"filename": {"pattern": "' + b"(" * 190 + b'"}}}'),
        ("/jobs", "text/plain", b"{}"),
        ("/jobs", "application/x-www-form-urlencoded", b"seed=1"),
        ("/models/default/promote", JSON, b"[" * 400_000),
        ("/models/default/promote", JSON, b'{"version": "\\ud800"}'),
        ("/models/default/promote", "text/plain", b'{"version": 1}'),
        ("/models/default/pattern", JSON, b'{"pattern": "\\ud800"}'),
        ("/models/default/pattern", JSON, json.dumps({"pattern": MARKS}).encode()),
        ("/models/default/corrections", JSON, json.dumps({"text": MARKS, "image": ""}).encode()),
        ("/jobs", JSON, json.dumps({"relabel": {"a.png": MARKS, MARKS: "a"}}).encode()),
        ("/jobs", JSON, json.dumps({"relabel": {"a.png": MARKS[:999]}}).encode()),
        ("/jobs", JSON, json.dumps({"metadata": {MARKS: "a"}, "model": MARKS}).encode()),
        ("/jobs", JSON, search_choices(MARKS)),
        ("/datasets", FORM, b"--b"),
        ("/datasets", FORM, PART + b"X: " + b"x" * 100_000 + b"\r\n\r\n--b--"),
        ("/datasets", FORM, PART + b"X: x\r\n" * 1000 + b"\r\n--b--"),
        ("/datasets", FORM, (PART + b"\r\n\r\n") * 5000 + b"--b--"),
        ("/datasets", "multipart/form-data", b"--b--"),
        ("/datasets", "multipart/form-data; boundary=" + "b" * 5000, b"--b--"),
        ("/datasets", 'multipart/form-data; boundary="' + ";" * 30_000, b"--b--"),
        ("/models/default/corrections", 'multipart/form-data; a="' + ";" * 30_000, b"--b--"),
        ("/datasets", "multipart/form-data; boundary*=utf-8''%E2%82%AC", b"--b--"),
        ("/datasets", "image/png", b"--b--"),
    ],
)
def test_a_hostile_body_is_refused(api: TestClient, path: str, kind: str, body: bytes) -> None:
    began = time.monotonic()
    answer = api.post(path, content=body, headers={"Content-Type": kind})
    assert time.monotonic() - began < MOST_SECONDS
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] and answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/jobs?after=%00",
        "/jobs?after=%ff%fe",
        "/jobs?limit=" + "9" * 5000,
        "/jobs/%00",
        "/jobs/%ff",
        "/jobs/job-1/events?after=1e9",
        "/models/%00",
        "/models/..%2f..%2fetc",
        "/models/%ed%a0%80",
        "/models/" + "a" * 4000,
        "/datasets/%2e%2e%2fjobs.sqlite",
        "/datasets/%00",
    ],
)
def test_a_hostile_address_is_refused(api: TestClient, path: str) -> None:
    answer = api.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
