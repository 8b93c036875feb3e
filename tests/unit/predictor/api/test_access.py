"""Who may do what with the predictor, asked over HTTP."""

import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ValidationError
from werkzeug.test import TestResponse

from predictor.api.app import create_app
from predictor.api.openapi.document import description
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.access.tokens import Scope
from shared.store.store import ModelStore
from tests.support.api.keys import bearer
from tests.support.api.openapi import routes_of
from tests.support.models.bundles import png, publish

OPEN = {"/healthz", "/readyz", "/metrics"}
OTHERS = {
    "/predict": 405,
    "/feedback": 405,
    "/review": 404,  # nothing is kept here
    "/review/{image_id}": 404,
    "/nowhere": 404,
}
"""What GET is answered with where that is not 200."""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def app_of(keys: Path, open_metrics: bool = True, allowed_origins: str | None = None) -> Flask:
    store = ModelStore(keys.with_name("models"))
    publish(store, keys.with_name("build"))
    settings = PredictorSettings(
        store=store.root,
        serve_starter=False,
        keys=keys,
        open_metrics=open_metrics,
        allowed_origins=allowed_origins,
    )
    registry = Registry(settings)
    registry.poll()
    return create_app(settings, registry)


def read(client: FlaskClient, headers: dict[str, str] | None = None) -> TestResponse:
    data = {"image": (io.BytesIO(png("cab")), "captcha.png")}
    return client.post("/predict", data=data, headers=headers)


def test_every_route_but_health_and_metrics_needs_a_key_for_predicting(keys: Path) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)
    trainer = bearer(keys, "trainer", Scope.TRAIN)
    admin = bearer(keys, "root", Scope.ADMIN)
    app = app_of(keys)
    client = app.test_client()
    for _, rule in routes_of(app) | {("GET", "/nowhere")}:
        statuses = [
            client.get(rule, headers=headers).status_code
            for headers in (None, trainer, phone, admin)
        ]
        right = OTHERS.get(rule, 200)
        expected = [right] * 4 if rule in OPEN else [401, 403, right, right]
        assert statuses == expected, rule
    assert read(client).status_code == 401
    assert read(client, phone).get_json()["text"] == "cab"


def test_a_refusal_is_a_problem_document(keys: Path) -> None:
    trainer = bearer(keys, "trainer", Scope.TRAIN)
    client = app_of(keys).test_client()
    missing = read(client)
    assert missing.content_type == "application/problem+json"
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="Readsmith"'
    document = missing.get_json()
    assert (document["status"], document["code"]) == (401, "key_missing")
    assert "readsmith keys create" in document["hint"]
    assert document["request_id"] == missing.headers["X-Request-ID"]
    scope = read(client, trainer)
    assert (scope.status_code, scope.get_json()["code"]) == (403, "scope_missing")
    assert 'scope="predict"' in scope.headers["WWW-Authenticate"]


def test_a_limited_key_is_told_when_to_come_again(keys: Path) -> None:
    slow = bearer(keys, "slow", Scope.PREDICT, requests_per_minute=2)
    client = app_of(keys).test_client()
    answers = [read(client, slow) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].get_json()["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 30


def test_metrics_can_be_closed_health_stays_open(keys: Path) -> None:
    phone = bearer(keys, "phone", Scope.PREDICT)
    client = app_of(keys, open_metrics=False).test_client()
    assert client.get("/healthz").status_code == 200
    for path in ("/metrics", "/readyz"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=phone).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "attacker.example:8080"}, "host_not_allowed"),
        ({"Origin": "https://attacker.example"}, "origin_not_allowed"),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, "origin_not_allowed"),
        ({"Host": "localhost", "Origin": "https://localhost"}, "origin_not_allowed"),
        ({"Sec-Fetch-Site": "same-site"}, "origin_not_allowed"),
    ],
)
def test_without_keys_a_web_page_cannot_ask(keys: Path, headers: dict[str, str], code: str) -> None:
    client = app_of(keys).test_client()
    refused = read(client, headers)
    assert (refused.status_code, refused.get_json()["code"]) == (403, code)
    assert read(client).status_code == 200
    assert client.get("/metrics", headers=headers).status_code == 200


def test_the_description_says_what_needs_a_key() -> None:
    for path, operations in description()["paths"].items():
        for operation in operations.values():
            if path == "/healthz":
                assert "security" not in operation
            else:
                assert operation["security"] == [{"apiKey": ["predict"]}, {}]
                assert {"401", "403", "429"} <= set(operation["responses"])
                assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


def test_the_page_is_open_to_browsers_and_its_list_of_routes_to_keys(keys: Path) -> None:
    bearer(keys, "phone", Scope.PREDICT)
    client = app_of(keys).test_client()
    page = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for file in re.findall(r'"(page/[^"]+)"', page.get_data(as_text=True)):
        assert client.get(f"/{file}").status_code == 200
    assert client.get("/page/page.js").mimetype == "text/javascript"
    for path in ("/page/nothing.js", "/page/..%2f__main__.py"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    for accept in ("*/*", "application/json"):
        assert client.get("/", headers={"Accept": accept}).status_code == 401


PAGE = "https://forms.example.org"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("with_keys", [False, True])
def test_pages_of_the_origins_that_are_named_may_call_it(keys: Path, with_keys: bool) -> None:
    headers = bearer(keys, "form", Scope.PREDICT) if with_keys else {}
    client = app_of(keys, allowed_origins=f"http://localhost:3000, {PAGE}").test_client()
    asked = client.options("/predict", headers=PREFLIGHT)
    assert (asked.status_code, asked.data) == (204, b"")
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    sent = {**headers, "Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
    answer = read(client, sent)
    assert answer.get_json()["text"] == "cab"
    refused = client.post("/predict", headers=sent)
    for each in (asked, answer, refused):
        assert each.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Origin" in each.headers["Vary"]
    assert refused.status_code == 415


@pytest.mark.parametrize(
    "origin", ["https://other.example.org", "http://forms.example.org", f"{PAGE}:8443", "null"]
)
def test_pages_of_other_origins_stay_outside(keys: Path, origin: str) -> None:
    client = app_of(keys, allowed_origins=PAGE).test_client()
    asked = client.options("/predict", headers={**PREFLIGHT, "Origin": origin})
    answer = read(client, {"Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert (asked.status_code, answer.status_code) == (403, 403)
    for each in (asked, answer):
        assert "Access-Control-Allow-Origin" not in each.headers


def test_a_page_that_may_call_still_needs_the_key_where_there_are_keys(keys: Path) -> None:
    bearer(keys, "form", Scope.PREDICT)
    client = app_of(keys, allowed_origins=PAGE).test_client()
    assert read(client, {"Origin": PAGE}).status_code == 401


def test_without_the_setting_no_page_of_another_origin_may_see_answers(keys: Path) -> None:
    headers = bearer(keys, "form", Scope.PREDICT)
    client = app_of(keys).test_client()
    assert client.options("/predict", headers=PREFLIGHT).status_code == 401
    assert "Access-Control-Allow-Origin" not in read(client, {**headers, "Origin": PAGE}).headers


@pytest.mark.parametrize("origins", ["*", "forms.example.org", "https://a.org/page", "ftp://a.org"])
def test_an_origin_is_one_as_browsers_write_it(keys: Path, origins: str) -> None:
    with pytest.raises(ValidationError):
        PredictorSettings(keys=keys, allowed_origins=origins)
