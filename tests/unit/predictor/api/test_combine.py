"""POST /predict with combine: several shots of one thing get one text."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from predictor.api.app import create_app
from predictor.feedback.image_archive import ImageArchive
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.api.predictions import CombinedPrediction
from shared.store.manifest import ONNX_MODEL
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import imported, onnx_graph, png, publish

MAX_IMAGE = 20_000


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with a model that is not very sure of what it reads."""
    store = ModelStore(tmp_path / "models")
    unsure = {ONNX_MODEL: onnx_graph(sharpness=60.0), "golden/predictions.json": b"[]"}
    publish(store, tmp_path / "build", files=unsure, change=imported)
    return store


@pytest.fixture
def client(store: ModelStore, tmp_path: Path) -> FlaskClient:
    settings = PredictorSettings(
        store=store.root,
        max_image_bytes=MAX_IMAGE,
        max_images=4,
        image_archive=tmp_path / "archive",
    )
    registry = Registry(settings)
    registry.poll()
    return create_app(settings, registry, archive=ImageArchive(settings)).test_client()


def combined(client: FlaskClient, *images: bytes, **fields: str) -> TestResponse:
    parts = [(io.BytesIO(image), "shot.png") for image in images]
    return client.post("/predict", data={"image": parts, "combine": "true", **fields})


def told(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    CombinedPrediction.model_validate_json(answer.get_data(), extra="forbid")
    return dict(answer.get_json())


def as_query(client: FlaskClient) -> TestResponse:
    parts = [(io.BytesIO(png(text)), "shot.png") for text in ("ab", "ab", "bb")]
    return client.post("/predict?combine=true", data={"image": parts})


def as_json(client: FlaskClient) -> TestResponse:
    images = [base64.b64encode(png(text)).decode() for text in ("ab", "ab", "bb")]
    return client.post("/predict", json={"images": images, "combine": True})


def as_form(client: FlaskClient) -> TestResponse:
    return combined(client, png("ab"), png("ab"), png("bb"))


@pytest.mark.parametrize("ask", [as_form, as_query, as_json])
def test_shots_of_one_thing_get_one_text_and_each_says_whether_it_agrees(
    client: FlaskClient, ask: Callable[[FlaskClient], TestResponse]
) -> None:
    answer = told(ask(client))

    assert "results" not in answer
    assert [each["text"] for each in answer["frames"]] == ["ab", "ab", "bb"]
    assert answer["text"] in {"ab", "bb"}
    assert [each["agrees"] for each in answer["frames"]] == [
        each["text"] == answer["text"] for each in answer["frames"]
    ]
    assert answer["frames"][answer["frame"]]["text"] == answer["text"]
    assert [each["text"] for each in answer["characters"]] == list(answer["text"])


def test_one_image_is_one_shot(client: FlaskClient) -> None:
    answer = told(combined(client, png("ab")))
    alone = client.post("/predict", data=png("ab"), content_type="image/png").get_json()

    assert (answer["text"], answer["characters"]) == (alone["text"], alone["characters"])
    assert answer["confidence"] == pytest.approx(alone["confidence"], abs=1e-5)
    assert answer["frames"] == [{"text": "ab", "confidence": answer["confidence"], "agrees": True}]


def test_combine_false_reads_each_image(client: FlaskClient) -> None:
    parts = [(io.BytesIO(png(text)), "shot.png") for text in ("ab", "c")]
    answer = client.post("/predict", data={"image": parts, "combine": "false"}).get_json()

    assert [each["text"] for each in answer["results"]] == ["ab", "c"]


def test_every_other_option_holds_for_the_combined_text(client: FlaskClient) -> None:
    shots = (png("ab"), png("ab"), png("bb"))

    within = told(combined(client, *shots, pattern="[bc]{2}", top_k="2", min_confidence="0.99"))
    listed = told(combined(client, *shots, allowed="bb\ncc"))
    none = told(combined(client, *shots, allowed="cc"))
    shown = told(combined(client, *shots, show_input="true"))

    assert within["text"] == "bb"
    assert within["alternatives"][0] == {"text": "bb", "confidence": within["confidence"]}
    assert len(within["alternatives"]) == 2
    assert within["accepted"] is False
    assert listed["text"] == "bb"
    assert (none["text"], none["frame"], none["reason"]["code"]) == (None, None, "none_allowed")
    assert all(each["input"]["width"] == 64 for each in shown["frames"])


def test_the_models_own_limits_hold(client: FlaskClient, store: ModelStore) -> None:
    store.change_settings("default", ModelSettings(pattern="[bc]+"))
    settings = PredictorSettings(store=store.root)
    registry = Registry(settings)
    registry.poll()

    answer = told(combined(create_app(settings, registry).test_client(), png("ab"), png("bb")))

    assert answer["text"] == "bb"


def test_a_broken_frame_is_named_and_left_out(client: FlaskClient) -> None:
    answer = told(combined(client, b"no image", png("ab"), b"x" * (MAX_IMAGE + 1)))

    broken, good, large = answer["frames"]
    assert (broken["error"]["code"], broken["error"]["field"]) == ("not_an_image", "image")
    assert large["error"]["code"] == "image_too_large"
    assert good["agrees"]
    assert (answer["text"], answer["frame"]) == ("ab", 1)


@pytest.mark.parametrize(
    ("images", "status", "code"),
    [
        ((b"no image", b""), 400, "not_an_image"),
        ((b"", b"no image"), 400, "empty_image"),
        ((b"x" * (MAX_IMAGE + 1), b""), 413, "image_too_large"),
        ((png("a"),) * 5, 413, "too_many_images"),
    ],
)
def test_broken_frames_alone_and_too_many_get_the_usual_errors(
    client: FlaskClient, images: tuple[bytes, ...], status: int, code: str
) -> None:
    answer = combined(client, *images)

    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.get_json()["field"] == "image"


def test_base64_that_is_none_breaks_one_frame_or_the_request(client: FlaskClient) -> None:
    good = base64.b64encode(png("ab")).decode()

    one = told(client.post("/predict", json={"images": ["?", good], "combine": True}))
    all_of_them = client.post("/predict", json={"images": ["?", "!"], "combine": True})

    assert one["frames"][0]["error"]["field"] == "images.0"
    assert one["text"] == "ab"
    assert (all_of_them.status_code, all_of_them.get_json()["field"]) == (400, "images.0")


def test_each_shot_is_archived_with_what_it_says_alone(client: FlaskClient) -> None:
    combined(client, png("ab"), b"no image", png("cb"))

    archived = client.get("/review").get_json()

    assert {(each["index"], each["text"]) for each in archived["data"]} == {(0, "ab"), (2, "cb")}
