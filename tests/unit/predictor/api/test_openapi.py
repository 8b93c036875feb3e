"""The description of the interface says what the code does."""

import base64
import io
import json
import re
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from pydantic import BaseModel

from predictor.api.openapi.document import description
from predictor.requests.images import IMAGE_FIELDS, JsonBody
from predictor.requests.options import PredictionOptions
from shared.api.health import About, Health, PredictorReadiness, ServedModels
from shared.api.predictions import (
    CombinedPrediction,
    FeedbackReceipt,
    Prediction,
    Predictions,
    ReviewQueue,
)
from shared.api.problems import Problem
from shared.errors import CODES
from tests.support.api.openapi import (
    CONFIG,
    call,
    make_key,
    predictor_with_a_model,
    routes_of,
    unbounded_in_bodies,
)
from tests.support.models.bundles import png

PREDICT = description()["paths"]["/predict"]["post"]
BODIES = PREDICT["requestBody"]["content"]
TEXT = base64.b64encode(png("cab")).decode()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A predictor with one tiny model, open to all."""
    return predictor_with_a_model(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Flask, dict[str, str]]:
    """Another that asks for a key, and the key."""
    folder = tmp_path_factory.mktemp("locked")
    key = make_key(folder)
    return predictor_with_a_model(folder), key


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_every_route_and_no_other_is_described(app: Flask) -> None:
    described = {
        (method.upper(), path)
        for path, operations in description()["paths"].items()
        for method in operations
    }
    assert described == routes_of(app)


def test_every_option_and_no_other_is_described_in_every_way_of_sending_it() -> None:
    parameters = {each["name"] for each in PREDICT["parameters"] if each["in"] == "query"}
    multipart = BODIES["multipart/form-data"]["schema"]["properties"]
    body = description()["components"]["schemas"]["JsonBody"]["properties"]

    assert parameters == set(PredictionOptions.model_fields)
    assert set(multipart) == {*PredictionOptions.model_fields, *IMAGE_FIELDS}
    assert set(body) == set(JsonBody.model_fields)


def test_every_error_code_is_described_with_its_status() -> None:
    problem = description()["components"]["schemas"]["Problem"]["properties"]
    assert set(problem["code"]["enum"]) == set(CODES)
    named = {
        (status, code)
        for operations in description()["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for code in response["description"].partition(": ")[2].split(", ")
    }
    for status, code in named - {(status, "") for status, _ in named}:
        assert str(CODES[code].http_status) == status
    answered = {code for _, code in named}
    assert {"image_too_large", "no_version_served", "key_missing", "rate_limited"} <= answered


def test_every_reference_leads_somewhere() -> None:
    components = description()["components"]
    for kind, name in re.findall(r"#/components/(\w+)/([\w-]+)", str(description())):
        assert name in components[kind]


def files(*images: bytes) -> dict[str, Any]:
    return {"image": [(io.BytesIO(image), "captcha.png") for image in images]}


def question(**body: Any) -> dict[str, Any]:
    return {"json": {"image": TEXT, **body}}


@pytest.mark.parametrize(
    ("path", "request_", "shape"),
    [
        ("/predict", question(), Prediction),
        ("/predict", question(show_input=True), Prediction),
        ("/predict", question(top_k=3, min_confidence=0.5), Prediction),
        ("/predict", question(pattern="[ab]{4}"), Prediction),
        ("/predict", {"json": {"images": [TEXT, "AAAA"]}}, Predictions),
        ("/predict", {"data": files(png("a"), b"no image")}, Predictions),
        ("/predict", {"json": {"images": [TEXT, "AAAA"], "combine": True}}, CombinedPrediction),
        ("/predict", question(combine=True, show_input=True, top_k=2), CombinedPrediction),
        ("/predict", {"json": {}}, Problem),
        ("/predict", {"json": {"image": "AAAA"}}, Problem),
        ("/feedback", question(text="cab"), FeedbackReceipt),
        ("/feedback", {"data": {**files(png("a")), "text": "b"}}, FeedbackReceipt),
        ("/feedback", {"json": {"request_id": "never", "text": "b"}}, Problem),
        ("/feedback", question(text=" "), Problem),
        ("/review", None, ReviewQueue),
        ("/review?limit=0", None, Problem),
        ("/", None, About),
        ("/models", None, ServedModels),
        ("/healthz", None, Health),
        ("/readyz", None, PredictorReadiness),
    ],
)
def test_answers_have_the_shapes_described(
    client: FlaskClient, path: str, request_: dict[str, Any] | None, shape: type[BaseModel]
) -> None:
    answer = client.get(path) if request_ is None else client.post(path, **request_)
    sent = answer.get_data(as_text=True).replace("+00:00", "Z")  # as Pydantic writes UTC
    parsed = shape.model_validate_json(sent, extra="forbid")
    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == json.loads(sent)


def test_the_page_shows_every_route_option_and_code_and_runs_nothing(client: FlaskClient) -> None:
    page = client.get("/docs").get_data(as_text=True)
    for path in description()["paths"]:
        assert path in page
    for name in (*JsonBody.model_fields, *CODES):
        assert name in page
    assert not re.search(r"https?://|src=|<script", page)
    assert re.findall(r'href="(.*?)"', page) == ["page/docs.css", "openapi.json"]


def test_every_text_of_a_request_has_a_maximum_length() -> None:
    assert unbounded_in_bodies(description()) == []


@schemathesis.openapi.from_dict(description(), config=CONFIG).parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_random_requests_are_answered_as_described(
    case: schemathesis.Case[Any], locked: tuple[Flask, dict[str, str]]
) -> None:
    call(case, *locked)
