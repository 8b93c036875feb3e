"""What people say an image really says reaches the trainer, once, whether it is there or not."""

import base64
import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pydantic import HttpUrl, SecretStr

from predictor.api.app import create_app
from predictor.feedback.image_archive import ImageArchive
from predictor.feedback.outbox import Outbox
from predictor.feedback.trainer_client import TrainerClient
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.errors import TrainerAwayError
from shared.store.store import ModelStore
from tests.support.api.openapi import make_key
from tests.support.models.bundles import png, publish
from tests.support.services import services

TIMEOUT = 60
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feedback")
    publish(ModelStore(folder / "models"), folder / "build")
    return folder


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[services.Service]:
    with services.trainer(folder) as trainer:
        yield trainer


def client_of(folder: Path, trainer_url: str | None, **settings: Any) -> FlaskClient:
    """A client of a predictor that keeps images, and feedback if there is an outbox."""
    url = HttpUrl(trainer_url) if trainer_url else None
    known = PredictorSettings(
        store=folder / "models", image_archive=folder / "kept", trainer_url=url, **settings
    )
    registry = Registry(known)
    registry.poll()
    outbox = Outbox(known.outbox, TrainerClient(known)) if known.outbox and url else None
    return create_app(known, registry, None, ImageArchive(known), outbox).test_client()


def corrections(trainer: services.Service, model: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{trainer.url}/models/{model}/corrections", timeout=TIMEOUT)
    return list(answer.json()["data"])


def form(image: bytes, **fields: str) -> dict[str, Any]:
    return {"data": {"image": (io.BytesIO(image), "a.png"), **fields}}


def in_json(image: bytes, **fields: Any) -> dict[str, Any]:
    return {"json": {"image": base64.b64encode(image).decode(), **fields}}


def test_a_prediction_is_corrected_by_its_request_and_leaves_the_queue(
    folder: Path, trainer: services.Service
) -> None:
    client = client_of(folder, trainer.url)
    images = [(io.BytesIO(png(text)), "a.png") for text in ("ab", "cab")]
    prediction = client.post("/predict", data={"image": images}).get_json()
    request_id = prediction["request_id"]

    told = {"request_id": request_id, "index": 1, "text": " cabin "}
    answer = client.post("/feedback", json=told)
    assert answer.status_code == 202
    assert answer.get_json() == {"status": "delivered", "model": "default", "text": "cabin"}

    (kept,) = corrections(trainer, "default")
    assert (kept["text"], kept["read"], kept["version"]) == ("cabin", "cab", 1)
    assert kept["confidence"] == prediction["results"][1]["confidence"]
    assert kept["source"] == "feedback"
    waiting = client.get("/review").get_json()["data"]
    assert [each["index"] for each in waiting if each["request_id"] == request_id] == [0]

    again = client.post("/feedback", json=told | {"text": "cabs"})
    assert again.status_code == 202
    assert [each["text"] for each in corrections(trainer, "default")] == ["cabs"]


@pytest.mark.parametrize("send", [form, in_json])
def test_an_image_is_sent_with_its_text(folder: Path, trainer: services.Service, send: Any) -> None:
    model = f"by-{send.__name__.replace('_', '-')}"
    client = client_of(folder, trainer.url)
    for _ in range(2):
        answer = client.post("/feedback", **send(png("ab"), text="ba", model=model))
        assert (answer.status_code, answer.get_json()["status"]) == (202, "delivered")
    assert [each["text"] for each in corrections(trainer, model)] == ["ba"]


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no text": (form(png("a")), 422, "request_invalid"),
    "empty text": (in_json(png("a"), text=" "), 422, "request_invalid"),
    "number": (in_json(png("a"), text=7), 422, "request_invalid"),
    "other field": (in_json(png("a"), text="a", label="a"), 422, "request_invalid"),
    "list": ({"json": []}, 422, "request_invalid"),
    "no json": ({"data": b"{", "content_type": "application/json"}, 400, "json_invalid"),
    "model": (in_json(png("a"), text="a", model="../x"), 422, "request_invalid"),
    "no image": ({"json": {"text": "a"}}, 422, "request_invalid"),
    "both": (in_json(png("a"), text="a", request_id="r"), 422, "request_invalid"),
    "no base64": ({"json": {"text": "a", "image": "§"}}, 400, "base64_invalid"),
    "empty": (form(b"", text="a"), 400, "empty_image"),
    "not an image": (form(b"hello", text="a"), 400, "not_an_image"),
    "unknown": ({"json": {"text": "a", "request_id": "r"}}, 404, "image_not_found"),
    "type": ({"data": b"a", "content_type": "text/plain"}, 415, "unsupported_media_type"),
    "refused by the trainer": (in_json(png("a"), text="a\nb\nc"), 422, "correction_refused"),
}


@pytest.mark.parametrize(("request_", "status", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(
    folder: Path, trainer: services.Service, request_: dict[str, Any], status: int, code: str
) -> None:
    problem = client_of(folder, trainer.url).post("/feedback", **request_).get_json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]


def test_feedback_that_names_no_model_is_for_the_one_that_answers(tmp_path: Path) -> None:
    store, outbox = ModelStore(tmp_path / "models"), tmp_path / "outbox"
    models = {}
    for model in (None, "plates", "meters"):
        if model is not None:
            publish(store, tmp_path / "build", model=model)
        client = client_of(tmp_path, NOBODY, outbox=outbox)
        answer = client.post("/feedback", **form(png("ab"), text="ab"))
        models[model] = (answer.status_code, answer.get_json().get("model"))
    assert models == {None: (202, "default"), "plates": (202, "plates"), "meters": (400, None)}
    assert answer.get_json()["code"] == "model_not_named"


def test_without_a_trainer_or_an_outbox_it_is_refused_with_what_to_set(folder: Path) -> None:
    for url, code in ((None, "feedback_disabled"), (NOBODY, "trainer_unavailable")):
        answer = client_of(folder, url).post("/feedback", **form(png("a"), text="a"))
        assert (answer.status_code, answer.get_json()["code"]) == (503, code)
        assert "READSMITH_" in answer.get_json()["hint"]


def test_what_waits_goes_out_in_order_and_a_later_text_counts(
    folder: Path, trainer: services.Service, tmp_path: Path
) -> None:
    away = client_of(folder, NOBODY, outbox=tmp_path / "outbox")
    for text in ("old", "new"):
        answer = away.post("/feedback", **form(png("ab"), text=text, model="waits"))
        assert (answer.status_code, answer.get_json()["status"]) == (202, "queued")
    away.post("/feedback", **form(png("a"), text="a\nb\nc", model="waits"))  # is refused later
    away.post("/feedback", **form(png("c"), text="overtaken", model="waits"))
    away.post("/feedback", **form(png("b"), text="last", model="waits"))

    back = client_of(folder, trainer.url, outbox=tmp_path / "outbox")
    answer = back.post("/feedback", **form(png("c"), text="overtakes", model="waits"))
    assert answer.get_json()["status"] == "delivered"

    settings = PredictorSettings(trainer_url=HttpUrl(trainer.url))
    outbox = Outbox(tmp_path / "outbox", TrainerClient(settings))
    outbox.deliver()
    texts = [each["text"] for each in corrections(trainer, "waits")]
    assert texts == ["last", "new", "overtakes"]
    outbox.deliver()
    assert len(corrections(trainer, "waits")) == 3


def test_a_trainer_with_keys_takes_the_callers_key_or_the_one_set(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    token = key["Authorization"].removeprefix("Bearer ")
    with services.trainer(tmp_path, READSMITH_KEYS=str(tmp_path / "keys.json")) as trainer:
        url = HttpUrl(trainer.url)
        correction = b'{"text": "a", "image": "' + base64.b64encode(png("a")) + b'"}'
        link = TrainerClient(PredictorSettings(trainer_url=url))
        link.correct("keyed", correction, key["Authorization"])
        with pytest.raises(TrainerAwayError, match="401"):
            link.correct("keyed", correction)
        TrainerClient(PredictorSettings(trainer_url=url, feedback_key=SecretStr(token))).correct(
            "keyed", correction
        )


def test_feedback_outlives_killed_workers_and_reaches_a_trainer_that_comes_back(
    tmp_path: Path,
) -> None:
    publish(ModelStore(tmp_path / "models"), tmp_path / "build")
    port = services.free_port()
    settings = {
        "READSMITH_TRAINER_URL": f"http://127.0.0.1:{port}",
        "READSMITH_OUTBOX": str(tmp_path / "outbox"),
        "READSMITH_PREDICTOR_WORKERS": "2",
    }
    with services.predictor(tmp_path, None, **settings) as predictor:
        for text in ("a", "ab", "abc"):
            answer = requests.post(
                f"{predictor.url}/feedback",
                files={"image": png(text)},
                data={"text": f"{text}!", "model": "plates"},
                timeout=TIMEOUT,
            )
            assert answer.json()["status"] == "queued", answer.text
            os.kill(_a_worker(predictor.url), signal.SIGKILL)
        predictor.process.kill()
        predictor.process.wait()
    with (
        services.predictor(tmp_path, None, **settings) as predictor,
        services.trainer(tmp_path, port) as trainer,
    ):
        deadline = time.monotonic() + TIMEOUT
        while len(found := corrections(trainer, "plates")) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert sorted(each["text"] for each in found) == ["a!", "ab!", "abc!"]


def _a_worker(url: str) -> int:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return int(requests.get(f"{url}/readyz", timeout=TIMEOUT).json()["pid"])
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
