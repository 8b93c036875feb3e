"""Bodies and queries that are made to break something are problems, never errors of ours."""

import json
import time
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from predictor.api.app import create_app
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import publish

MARKS = "a" + "\u0301" * 100_000 + "\u0316" * 100_000
"""Composing them takes half a minute or more."""
MOST_SECONDS = 10.0
"""Usually some milliseconds."""
JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("predictor")
    publish(ModelStore(folder / "models"), folder / "build")
    settings = PredictorSettings(store=folder / "models", keys=folder / "keys.json")
    registry = Registry(settings)
    registry.poll()
    return create_app(settings, registry).test_client()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"[" * 1_000_000),
        (JSON, b'{"image": ' + b"[" * 900 + b"]" * 900 + b"}"),
        (JSON, b'{"model": "\\ud800", "image": "AAAA"}'),
        (JSON, b'{"\\ud800": 1}'),
        (JSON, b'{"top_k": ' + b"9" * 5000 + b"}"),
        (JSON, b'{"min_confidence": 1e999}'),
        (JSON, b'{"image": "\xff\xfe"}'),
        (JSON, b'{"images": [' + b'"",' * 100_000 + b'""]}'),
        (JSON, b'{"image": "' + b"A" * 1001 + b'"}'),
        (JSON, b'{"image": "\\u0000"}'),
        (JSON, json.dumps({"image": "AAAA", "pattern": MARKS}).encode()),
        (JSON, json.dumps({"image": "AAAA", "charset": MARKS[:9999]}).encode()),
        (FORM, b"--b"),
        (FORM, PART + b"X: " + b"x" * 100_000 + b"\r\n\r\n--b--"),
        (FORM, PART + b"x\r\n" * 1_000_000 + b"--b--"),
        (FORM, b"--b\r\n" * 1_000_000),
        (FORM, (PART + b"\r\n\r\n") * 5000 + b"--b--"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary*=utf-8''%E2%82%AC", b"--b--"),
        ("text/plain", b"a"),
        ("", b"a"),
    ],
)
def test_a_hostile_body_is_refused(client: FlaskClient, kind: str, body: bytes) -> None:
    began = time.monotonic()
    answer = client.post("/predict", data=body, content_type=kind)
    assert time.monotonic() - began < MOST_SECONDS
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] and answer.get_json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "model=%ff%00",
        "model=" + quote("../" * 500),
        "version=" + "9" * 4000,
        "pattern=" + quote("(" * 1000),
        "top_k=%D9%A3%00",
        "a=b&" * 900,
    ],
)
def test_a_hostile_query_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.post(f"/predict?{query}", data=b"a", content_type="image/png")
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.content_type == "application/problem+json"
