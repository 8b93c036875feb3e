import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from predictor.api.answers import describe
from predictor.api.app import create_app
from predictor.models.registry import Registry
from predictor.requests.options import PredictionOptions
from predictor.settings import PredictorSettings
from shared.recognition.decoding import DecodedText
from shared.store.builtin import STARTER, builtin_store
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.models.bundles import (
    SPEC,
    STRIPE,
    TIME_STEPS,
    encoded,
    image,
    imported,
    onnx_graph,
    png,
    publish,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client of a predictor whose version 2 is less sure than its version 1."""
    folder = tmp_path_factory.mktemp("predictor")
    store = ModelStore(folder / "models")
    publish(store, folder / "1")
    unsure = {ONNX_MODEL: onnx_graph(sharpness=20.0)}
    publish(
        store, folder / "2", files={**unsure, "golden/predictions.json": b"[]"}, change=imported
    )
    settings = PredictorSettings(store=store.root, max_images=3)
    registry = Registry(settings)
    registry.poll()
    return create_app(settings, registry).test_client()


def as_parameters(client: FlaskClient, image: bytes, options: dict[str, Any]) -> Any:
    texts = {name: str(value) for name, value in options.items()}
    return client.post("/predict", data=image, content_type="image/png", query_string=texts)


def as_fields(client: FlaskClient, image: bytes, options: dict[str, Any]) -> Any:
    texts = {name: str(value) for name, value in options.items()}
    return client.post("/predict", data={"image": (io.BytesIO(image), "a.png"), **texts})


def as_json(client: FlaskClient, image: bytes, options: dict[str, Any]) -> Any:
    return client.post("/predict", json={"image": base64.b64encode(image).decode(), **options})


Ask = Callable[[FlaskClient, bytes, dict[str, Any]], Any]
EVERY_WAY = pytest.mark.parametrize("ask", [as_parameters, as_fields, as_json])


@EVERY_WAY
def test_alternatives_are_the_likeliest_texts_with_their_confidences(
    client: FlaskClient, ask: Ask
) -> None:
    body = ask(client, png("cab"), {"top_k": 3}).get_json()
    best, *others = body["alternatives"]
    assert best == {"text": body["text"], "confidence": body["confidence"]}
    assert body["text"] == "cab"
    assert len(others) == 2
    assert best["confidence"] > others[0]["confidence"] >= others[1]["confidence"] > 0


@EVERY_WAY
def test_the_answer_is_the_likeliest_allowed_text_or_none_of_them(
    client: FlaskClient, ask: Ask
) -> None:
    lines = "ab\n cab \n\nbac"
    allowed = {"allowed": lines.split() if ask is as_json else lines}
    listed = ask(client, png("cab"), {**allowed, "top_k": 3}).get_json()
    assert (listed["text"], listed["alternatives"][0]["text"]) == ("cab", "cab")
    assert listed["confidence"] > 0.5
    other = ask(client, png("aaaa"), {**allowed, "top_k": 3, "min_confidence": 0}).get_json()
    assert (other["text"], other["characters"], other["accepted"]) == (None, [], False)
    assert other["reason"]["code"] == "none_allowed"
    assert other["confidence"] == other["alternatives"][0]["confidence"] < 0.5
    forced = ask(client, png("aaaa"), {**allowed, "allowed_threshold": 0}).get_json()
    assert forced["text"] == other["alternatives"][0]["text"]


def test_json_takes_a_list_of_allowed_texts(client: FlaskClient) -> None:
    assert as_json(client, png("cab"), {"allowed": ["ab", "cab"]}).get_json()["text"] == "cab"
    assert as_json(client, png("cab"), {"allowed": []}).get_json()["text"] == "cab"
    again = as_json(client, png("cab"), {"allowed": ["ab", "cab"], "pattern": "..."}).get_json()
    assert again["text"] == "cab"


@pytest.mark.parametrize(
    ("allowed", "code", "field"),
    [
        (["ab", 7], "request_invalid", "allowed.1"),
        (["ab", ""], "request_invalid", "allowed.1"),
        (["a\u0000b"], "request_invalid", "allowed.0"),
        (["a" + "\u0301" * 31], "request_invalid", "allowed.0"),
        (["a" * 201], "text_too_long", "allowed.0"),
        (["a"] * 10_001, "request_invalid", "allowed"),
        (["ab" * 100] * 501, "request_invalid", "allowed"),
        (["xyz"], "no_text_fits", "allowed"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_what_is_wrong_and_where(
    client: FlaskClient, allowed: list[Any], code: str, field: str
) -> None:
    answer = as_json(client, png("cab"), {"allowed": allowed})
    problem = answer.get_json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, code, field)


@EVERY_WAY
@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"pattern": "[ab]+"}, "bab"),
        ({"pattern": "ca|b"}, "ca"),
        ({"charset": "bc"}, "cbb"),
        ({"max_length": 2}, None),
        ({"min_length": 4, "pattern": "ca+b"}, None),
        ({"pattern": ".{3}", "charset": "ac", "min_length": 2, "max_length": 3}, None),
    ],
)
def test_the_answer_fits_the_limits(
    client: FlaskClient, ask: Ask, limits: dict[str, Any], text: str | None
) -> None:
    body = ask(client, png("cab"), limits).get_json()
    read = body["text"]
    assert text is None or read == text
    assert limits.get("min_length", 0) <= len(read) <= limits.get("max_length", 99)
    assert set(read) <= set(limits.get("charset", "abc"))
    assert "alternatives" not in body
    assert body["confidence"] < 0.5
    assert "".join(each["text"] for each in body["characters"]) == read


@EVERY_WAY
def test_a_version_is_named_by_its_number(client: FlaskClient, ask: Ask) -> None:
    one, two = (ask(client, png("cab"), {"version": n}).get_json() for n in (1, 2))
    assert (one["version"], two["version"]) == (1, 2)
    assert one["confidence"] > 0.9 > two["confidence"]


@EVERY_WAY
def test_a_prediction_is_accepted_from_a_confidence_on(client: FlaskClient, ask: Ask) -> None:
    sure = ask(client, png("cab"), {"min_confidence": 0.9, "version": 1}).get_json()
    unsure = ask(client, png("cab"), {"min_confidence": 0.9}).get_json()
    assert (sure["accepted"], unsure["accepted"]) == (True, False)
    assert unsure["text"] == "cab"


@EVERY_WAY
def test_what_the_model_saw_is_shown_when_asked(client: FlaskClient, ask: Ask) -> None:
    large = encoded(image("cab").resize((640, 160), Image.Resampling.NEAREST))
    seen = ask(client, large, {"show_input": True}).get_json()["input"]
    shown = Image.open(io.BytesIO(base64.b64decode(seen["png"])))

    assert (shown.format, shown.mode) == ("PNG", "L")
    assert shown.size == (seen["width"], seen["height"]) == (SPEC.width, SPEC.height)
    amid_stripes = np.asarray(shown)[0, STRIPE // 2 :: STRIPE].tolist()
    assert amid_stripes == pytest.approx([170, 255, 0, 255, 85, 255, 255, 255], abs=3)
    assert "input" not in ask(client, large, {"show_input": False}).get_json()


def test_every_answer_says_how_long_its_parts_took(client: FlaskClient) -> None:
    answer = as_fields(client, png("cab"), {"version": 1})
    parts = dict(part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
    assert list(parts) == ["parse", "prepare", "model", "decode", "total"]
    times = {part: float(ms) for part, ms in parts.items()}
    assert 0 < sum(times.values()) - times["total"] <= times["total"] + 0.01
    assert "total;dur=" in client.post("/predict").headers["Server-Timing"]


def test_characters_say_where_they_stand(client: FlaskClient) -> None:
    plain = as_fields(client, png("cab"), {}).get_json()["characters"]
    places = [(each["start"] * TIME_STEPS, each["end"] * TIME_STEPS) for each in plain]
    assert places == [(0, 1), (2, 3), (4, 5)]
    assert as_fields(client, png("cab"), {"top_k": 1}).get_json()["characters"] == plain


def test_no_text_that_fits_is_said_with_its_reason_and_never_an_invalid_text(
    client: FlaskClient,
) -> None:
    options = {"pattern": "a{4}", "top_k": 2, "min_confidence": 0, "version": 1}
    body = as_json(client, png("cab"), options).get_json()
    assert (body["text"], body["confidence"], body["characters"]) == (None, 0.0, [])
    assert (body["alternatives"], body["accepted"]) == ([], False)
    assert body["reason"]["code"] == "nothing_fits"
    assert body["version"] == 1


def test_accepted_agrees_with_the_confidence_that_is_told() -> None:
    wanted = PredictionOptions(min_confidence=0.556197)
    answer = describe(DecodedText("ab", 0.5561968, ()), wanted, None)
    assert (answer["confidence"], answer["accepted"]) == (0.556197, True)


def test_an_empty_text_says_whether_its_confidence_was_measured() -> None:
    metrics = builtin_store().manifest(STARTER, 1).metrics
    assert metrics is not None

    def reason(unreadable: int | None) -> str:
        measured = metrics.model_copy(update={"unreadable_images": unreadable})
        answer = describe(DecodedText("", 0.99, ()), PredictionOptions(), measured)
        assert (answer["text"], answer["reason"]["code"]) == ("", "nothing_read")
        return str(answer["reason"]["message"])

    assert "never measured" in reason(None)
    assert "never measured" in reason(0)
    assert "never measured" not in reason(3)
    assert "reason" not in describe(DecodedText("a", 0.99, ()), PredictionOptions(), metrics)


def test_a_list_of_images_is_answered_by_a_list(client: FlaskClient) -> None:
    images = [base64.b64encode(data).decode() for data in (png("ab"), b"no image", png("c"))]
    body = client.post("/predict", json={"images": images, "top_k": 1}).get_json()
    first, second, third = body["results"]
    assert (first["text"], third["text"], len(third["alternatives"])) == ("ab", "c", 1)
    assert (second["error"]["code"], second["error"]["field"]) == ("not_an_image", "images.1")
    alone = client.post("/predict", json={"images": images[1:2]})
    assert alone.status_code == 200
    assert alone.get_json()["results"][0]["error"]["code"] == "not_an_image"


def test_a_key_of_the_body_counts_more_than_a_parameter(client: FlaskClient) -> None:
    image = base64.b64encode(png("cab")).decode()
    answer = client.post("/predict?top_k=3&version=1", json={"image": image, "top_k": 1})
    assert len(answer.get_json()["alternatives"]) == 1
    assert answer.get_json()["version"] == 1


WRONG: dict[str, tuple[dict[str, Any], int, str, str, str]] = {
    "top_k": ({"top_k": 0}, 422, "request_invalid", "top_k", "from 1 to 20"),
    "large top_k": ({"top_k": 21}, 422, "request_invalid", "top_k", "from 1 to 20"),
    "charset": ({"charset": ""}, 422, "request_invalid", "charset", "that a text may have"),
    "empty pattern": ({"pattern": ""}, 422, "request_invalid", "pattern", "[A-Z]{2}"),
    "pattern": ({"pattern": "(a"}, 422, "pattern_invalid", "pattern", "[A-Z0-9]"),
    "long pattern": ({"pattern": "a" * 999}, 422, "text_too_long", "pattern", "at most 500"),
    "large pattern": ({"pattern": "a{501}"}, 422, "pattern_too_large", "pattern", "500"),
    "long model": ({"model": "a" * 65}, 422, "text_too_long", "model", "at most 64"),
    "marks": ({"charset": "a" + "\u0301" * 400}, 422, "request_invalid", "charset", "may have"),
    "min_length": ({"min_length": -1}, 422, "request_invalid", "min_length", "from 0 to 1000"),
    "max_length": ({"max_length": 0}, 422, "request_invalid", "max_length", "from 1 to 1000"),
    "lengths": (
        {"min_length": 3, "max_length": 2}, 422, "request_invalid", "min_length", "not be greater",
    ),
    "too long": ({"min_length": 9}, 422, "no_text_fits", "min_length", "8 time steps"),
    "other characters": ({"pattern": "x"}, 422, "no_text_fits", "pattern", "abc"),
    "min_confidence": ({"min_confidence": 2}, 422, "request_invalid", "min_confidence", "0 to 1"),
    "threshold": (
        {"allowed_threshold": 2}, 422, "request_invalid", "allowed_threshold", "from 0 to 1",
    ),
    "check_digit": ({"check_digit": "crc"}, 422, "request_invalid", "check_digit", "luhn, mod97"),
    "version 0": ({"version": 0}, 422, "request_invalid", "version", "a retained version"),
    "version": ({"version": 7}, 404, "version_not_found", "version", "Retained: 1, 2."),
}  # fmt: skip


@EVERY_WAY
@pytest.mark.parametrize(("options", "status", "code", "field", "hint"), WRONG.values(), ids=WRONG)
def test_a_wrong_option_is_named_with_what_is_right(
    client: FlaskClient,
    ask: Ask,
    options: dict[str, Any],
    status: int,
    code: str,
    field: str,
    hint: str,
) -> None:
    answer = ask(client, png("cab"), options)
    problem = answer.get_json()
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, problem["code"], problem["field"]) == (status, code, field)
    assert hint in problem["hint"]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"top_k": "many"}, "top_k"), ({"min_confidence": "nan"}, "min_confidence")],
)
def test_what_is_no_number_is_refused(
    client: FlaskClient, options: dict[str, str], field: str
) -> None:
    problem = as_fields(client, png("a"), options).get_json()
    assert (problem["code"], problem["field"]) == ("request_invalid", field)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"images": []}, "request_invalid", "images"),
        ({"images": ["", ""], "image": ""}, "request_invalid", "image"),
        ({"images": [7]}, "request_invalid", "images.0"),
        ({"images": ["YQ=="] * 4}, "too_many_images", "images"),
        ({"image": "YQ==", "top_k": "3"}, "request_invalid", "top_k"),
    ],
)
def test_a_wrong_json_body_is_told_what_is_wrong_and_where(
    client: FlaskClient, body: dict[str, Any], code: str, field: str
) -> None:
    problem = json.loads(client.post("/predict", json=body).data)
    assert (problem["code"], problem["field"]) == (code, field)
