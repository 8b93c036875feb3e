"""Who may do what with the trainer, asked over HTTP."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shared.access.tokens import Scope
from shared.store.store import ModelStore
from tests.support.api.keys import bearer
from tests.support.api.problems import problem
from tests.support.labelled_images import zip_bytes
from tests.support.models.bundles import publish
from trainer.api.app import create_app
from trainer.settings import Settings

OPEN = {"/healthz", "/readyz", "/metrics"}
CORRECTING = ("POST", "/models/{name}/corrections")
CHOOSING = {
    f"/models/{{name}}/{change}"
    for change in ("promote", "rollback", "default", "restore", "pattern", "allowed")
}

DELETING = ("/models/{name}", "/models/{name}/versions/{version}")


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def train(settings: Settings) -> dict[str, str]:
    return bearer(settings.keys, "trainer", Scope.TRAIN)


@pytest.fixture
def predict(settings: Settings) -> dict[str, str]:
    return bearer(settings.keys, "phone", Scope.PREDICT)


@pytest.fixture
def admin(settings: Settings) -> dict[str, str]:
    return bearer(settings.keys, "root", Scope.ADMIN)


@pytest.fixture
def closed(settings: Settings, train: object, predict: object, admin: object) -> TestClient:
    """A client of a trainer that has keys."""
    return TestClient(create_app(settings), raise_server_exceptions=False)


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "readsmith.audit")
    return caplog


def lines(audited: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.message) for record in audited.records if record.name.endswith("dit")]


def routes(settings: Settings) -> list[tuple[str, str]]:
    """Every method and path, also of what describes the service."""
    described = create_app(settings).openapi()["paths"]
    found = [(method.upper(), path) for path, methods in described.items() for method in methods]
    return [*found, ("GET", "/docs"), ("GET", "/openapi.json")]


def is_choice(method: str, path: str) -> bool:
    deletes = method == "DELETE" and path in DELETING
    return deletes or (path in CHOOSING and method != "GET")


def for_readers(method: str, path: str) -> bool:
    return (method, path) == CORRECTING or path.startswith(("/try", "/review"))


def for_labelling(method: str, path: str) -> bool:
    """Seeing all of the datasets, adding images, and changing labels."""
    if method == "GET":
        return path.startswith("/datasets")
    return (method, path) in (
        ("POST", "/datasets/{dataset_id}/images"),
        ("PUT", "/datasets/{dataset_id}/labels"),
    )


def test_every_route_but_health_and_metrics_needs_a_key_of_the_right_scope(
    closed: TestClient,
    settings: Settings,
    train: dict[str, str],
    predict: dict[str, str],
    admin: dict[str, str],
) -> None:
    labels = bearer(settings.keys, "labeller", Scope.LABEL)
    for method, path in [*routes(settings), ("GET", "/nowhere"), ("DELETE", "/models/x")]:
        url = re.sub("{[^}]*}", "x", path)
        anonymous, reader, trainer, chooser = (
            closed.request(method, url, headers=headers).status_code
            for headers in (None, predict, train, admin)
        )
        chooses = is_choice(method, path) or path == "/models/x"
        assert anonymous == (anonymous if path in OPEN else 401), path
        assert (reader == 403) == (path not in OPEN and not for_readers(method, path)), path
        assert (trainer == 403) == chooses, path
        labeller = closed.request(method, url, headers=labels).status_code
        assert (labeller == 403) == (path not in OPEN and not for_labelling(method, path)), path
        assert chooser not in (401, 403), path


def test_a_refusal_is_a_problem_document_and_nothing_is_done(
    closed: TestClient, train: dict[str, str], predict: dict[str, str]
) -> None:
    missing = closed.post("/jobs")
    document = problem(missing, 401, "key_missing")
    assert missing.headers["www-authenticate"] == 'Bearer realm="Readsmith"'
    assert "readsmith keys create" in document["hint"]
    scope = closed.post("/jobs", headers=predict)
    assert "scope predict, not train" in problem(scope, 403, "scope_missing")["detail"]
    assert closed.get("/jobs", headers=train).json()["data"] == []


def test_a_body_is_not_read_before_the_key_is_known(closed: TestClient, settings: Settings) -> None:
    problem(closed.post("/jobs", content=b"{" * 2_000_000), 401, "key_missing")
    problem(closed.post("/datasets", files={"file": zip_bytes()}), 401, "key_missing")
    assert list(settings.uploads.iterdir()) == []


def test_a_limited_key_is_told_when_to_come_again(settings: Settings) -> None:
    slow = bearer(settings.keys, "slow", Scope.TRAIN, requests_per_minute=1)
    with TestClient(create_app(settings)) as api:
        assert api.get("/jobs", headers=slow).status_code == 200
        answer = api.get("/jobs", headers=slow)
    problem(answer, 429, "rate_limited")
    assert 30 < int(answer.headers["retry-after"]) <= 60


def test_metrics_can_be_closed_health_stays_open(settings: Settings, train: dict[str, str]) -> None:
    closed = settings.model_copy(update={"open_metrics": False})
    with TestClient(create_app(closed)) as api:
        assert api.get("/healthz").status_code == 200
        for path in ("/metrics", "/readyz"):
            problem(api.get(path), 401, "key_missing")
            assert api.get(path, headers=train).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "attacker.example"}, "host_not_allowed"),
        ({"Origin": "https://attacker.example"}, "origin_not_allowed"),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, "origin_not_allowed"),
        ({"Host": "localhost", "Origin": "https://localhost"}, "origin_not_allowed"),
        ({"Sec-Fetch-Site": "same-site"}, "origin_not_allowed"),
    ],
)
def test_without_keys_a_web_page_cannot_post_a_job(
    api: TestClient, headers: dict[str, str], code: str
) -> None:
    problem(api.post("/jobs", headers=headers), 403, code)
    assert api.get("/jobs").json()["data"] == []
    assert api.get("/healthz", headers=headers).status_code == 200


def test_each_change_has_an_audit_line(
    settings: Settings,
    tmp_path: Path,
    train: dict[str, str],
    admin: dict[str, str],
    audited: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        publish(ModelStore(settings.store), tmp_path / "build")
    with TestClient(create_app(settings)) as api:
        dataset = api.post("/datasets", files={"file": zip_bytes()}, headers=train).json()
        job = api.post("/jobs", headers=train).json()
        api.post(f"/jobs/{job['id']}/cancel", headers=train)
        api.post("/models/default/promote", json={"version": 1}, headers=admin)
        api.post("/models/default/promote", json={"version": 9}, headers=admin)
        api.post("/models/default/rollback", headers=admin)
        api.post("/models/default/pattern", json={"pattern": "[ab]{2}"}, headers=admin)
        api.get("/jobs", headers=train)
    told = lines(audited)
    assert all(line.pop("address") == "testclient" and line.pop("time") for line in told)
    assert all(line.pop("logger") == "readsmith.audit" for line in told)
    by_trainer, by_root = {"who": "trainer"}, {"who": "root", "name": "default"}
    sent = {"dataset_id": dataset["id"], "bytes": dataset["bytes"]}
    assert told == [
        {"action": "upload_dataset", **by_trainer, "status": 201, **sent},
        {"action": "create_job", **by_trainer, "status": 202}
        | {"job_id": job["id"], "model": "default"},
        {"action": "cancel_job", **by_trainer, "status": 200, "job_id": job["id"]},
        {"action": "promote", **by_root, "status": 200, "version": 1},
        {"action": "promote", **by_root, "status": 404, "version": 9},
        {"action": "rollback", **by_root, "status": 200, "version": 2},
        {"action": "set_pattern", **by_root, "status": 200, "pattern": "[ab]{2}"},
    ]


@pytest.mark.parametrize(("behind", "address"), [(True, "198.51.100.7"), (False, "testclient")])
def test_the_address_is_that_of_the_gateways_header_only_behind_a_gateway(
    settings: Settings, audited: pytest.LogCaptureFixture, behind: bool, address: str
) -> None:
    chosen = settings.model_copy(update={"behind_gateway": behind})
    with TestClient(create_app(chosen)) as api:
        api.post("/jobs", headers={"X-Forwarded-For": "198.51.100.7"})
    (line,) = lines(audited)
    assert (line["address"], line["who"]) == (address, "anonymous")


def test_the_description_says_which_scope_each_route_needs(api: TestClient) -> None:
    description = api.get("/openapi.json").json()
    assert description["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    assert description["paths"].keys() >= OPEN | CHOOSING | {"/jobs", "/datasets"}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                assert "security" not in operation
                continue
            scopes = ["admin" if is_choice(method.upper(), path) else "train"]
            scopes += ["predict"] if for_readers(method.upper(), path) else []
            scopes += ["label"] if for_labelling(method.upper(), path) else []
            assert operation["security"] == [*({"apiKey": [one]} for one in scopes), {}]
            assert {"401", "403", "429"} <= set(operation["responses"])
