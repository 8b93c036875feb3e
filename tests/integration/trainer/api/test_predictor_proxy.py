"""The predictor asked through the trainer: a real one, with keys, and one that is away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from fastapi.testclient import TestClient

from shared.access.tokens import Scope
from shared.store.store import ModelStore
from tests.support.api.keys import bearer
from tests.support.api.problems import problem
from tests.support.models.bundles import png, publish
from tests.support.services.predictor import Predictor, serving
from tests.support.services.web_site import answer, serve
from trainer.api.app import create_app
from trainer.settings import Settings


def through(settings: Settings, url: str) -> TestClient:
    chosen = settings.model_copy(update={"predictor_url": url})
    return TestClient(create_app(chosen), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def reader(keys: Path) -> dict[str, str]:
    return bearer(keys, "phone", Scope.PREDICT)


@pytest.fixture(scope="module")
def predictor(
    keys: Path, reader: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("predictor")
    store = ModelStore(folder / "models")
    publish(store, folder / "build")
    settings = {"READSMITH_KEYS": str(keys), "READSMITH_PREDICTOR_WORKERS": "1"}
    with serving(store, folder, **settings) as running:
        yield running


@pytest.fixture
def api(settings: Settings, keys: Path, predictor: Predictor) -> TestClient:
    return through(settings.model_copy(update={"keys": keys}), predictor.url)


def test_an_image_is_read_with_the_callers_key_and_options(
    api: TestClient, predictor: Predictor, reader: dict[str, str]
) -> None:
    files = {"image": ("a.png", png("abc"))}
    asked = api.post("/try?top_k=2", files=files, headers=reader)
    assert asked.status_code == 200, asked.text
    direct = requests.post(
        f"{predictor.url}/predict?top_k=2", files=files, headers=reader, timeout=60
    )
    assert asked.json() | {"request_id": ""} == direct.json() | {"request_id": ""}
    assert asked.headers["content-type"] == direct.headers["content-type"]
    models = api.get("/try/models", headers=reader)
    assert (
        models.json() == requests.get(f"{predictor.url}/models", headers=reader, timeout=60).json()
    )


def test_the_predictors_refusals_pass_as_they_are(
    api: TestClient, reader: dict[str, str], keys: Path
) -> None:
    problem(api.post("/try", files={"image": b"no image"}, headers=reader), 400, "not_an_image")
    image = {"Content-Type": "image/png"}
    too_large = api.post("/try", content=b"x" * 41_500_000, headers=reader | image)
    problem(too_large, 413, "body_too_large")
    trainer = bearer(keys, "trainer", Scope.TRAIN)
    refused = api.get("/try/models", headers=trainer)
    if refused.status_code != 401:  # the predictor has looked at the keys since
        assert "scope train, not predict" in problem(refused, 403, "scope_missing")["detail"]
    assert "www-authenticate" in refused.headers


def test_a_predictor_that_is_away_is_unavailable(settings: Settings) -> None:
    with through(settings, "http://127.0.0.1:1") as api:
        refused = api.post("/try", files={"image": b"x"})
        hint = problem(refused, 503, "predictor_unavailable")["hint"]
        assert "READSMITH_PREDICTOR_URL" in hint
        assert refused.headers["retry-after"]
        problem(api.get("/try/models"), 503, "predictor_unavailable")


def test_what_is_passed_on_is_the_request_and_nothing_that_only_the_trainer_needs(
    settings: Settings,
) -> None:
    pages = {
        "/review/a%3Fb%25": lambda handler: answer(
            handler, b"\x89PNG", 200, {"Server-Timing": "x"}
        ),
        "/review?limit=5": lambda handler: answer(handler, b"{}", 302, {"Location": "http://x"}),
    }
    with serve(pages) as site, through(settings, site.url) as api:
        shown = api.get("/review/a%3Fb%25", headers={"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4"})
        assert (shown.content, shown.headers["server-timing"]) == (b"\x89PNG", "x")
        assert shown.headers["x-content-type-options"] == "nosniff"
        listed = api.get("/review?limit=5", follow_redirects=False)
        assert (listed.status_code, "location" in listed.headers) == (302, False)
    sent = site.headers[0]
    assert sent["Host"] == "localhost"
    assert sent["Cookie"] is None
    assert sent["X-Forwarded-For"] == "testclient"
    assert site.hits == ["/review/a%3Fb%25", "/review?limit=5"]


@pytest.mark.parametrize("url", ["predictor:8080", "ftp://predictor", "http://a b"])
def test_a_predictor_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        Settings(predictor_url=url)
