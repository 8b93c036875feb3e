import base64
import gc
import gzip
import io
import json
import random
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from predictor.api.app import create_app
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.api.predictions import Prediction
from shared.store.manifest import ONNX_MODEL
from shared.store.records.record import ModelSettings
from shared.store.records.records import DEFAULT
from shared.store.store import ModelStore
from tests.support.api.openapi import routes_of
from tests.support.labelled_images import image as drawn
from tests.support.models.bundles import encoded, image, imported, onnx_graph, png, publish
from tests.support.models.detectors import BLUE, CORNERS, photograph_file, publish_detector

MAX_IMAGE = 20_000
MAX_BODY = 100_000


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def registry(store: ModelStore) -> Registry:
    return Registry(settings_of(store))


def settings_of(store: ModelStore) -> PredictorSettings:
    return PredictorSettings(
        serve_starter=False,
        store=store.root,
        max_image_bytes=MAX_IMAGE,
        max_body_bytes=MAX_BODY,
        max_images=3,
    )


@pytest.fixture
def empty(store: ModelStore, registry: Registry) -> Iterator[FlaskClient]:
    """A client of a predictor that has no model yet."""
    registry.poll()
    yield create_app(settings_of(store), registry).test_client()


@pytest.fixture
def client(
    store: ModelStore, registry: Registry, empty: FlaskClient, tmp_path: Path
) -> FlaskClient:
    """A client of a predictor with the models default and plates."""
    publish(store, tmp_path / "default")
    publish(store, tmp_path / "plates", model="plates", characters="XYZ")
    registry.poll()
    return empty


def part(data: bytes) -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), "captcha.png"


def send(client: FlaskClient, *images: bytes, **fields: str) -> TestResponse:
    return client.post("/predict", data={"image": [part(image) for image in images], **fields})


def as_multipart(client: FlaskClient) -> TestResponse:
    return send(client, png("cab"))


def as_file_field(client: FlaskClient) -> TestResponse:
    return client.post("/predict", data={"file": part(png("cab"))})


def as_image_body(client: FlaskClient) -> TestResponse:
    return client.post("/predict", data=png("cab"), content_type="image/png")


def as_octets(client: FlaskClient) -> TestResponse:
    return client.post("/predict", data=png("cab"), content_type="application/octet-stream")


def as_json(client: FlaskClient) -> TestResponse:
    return client.post("/predict", json={"image": base64.b64encode(png("cab")).decode()})


def as_wrapped_base64(client: FlaskClient) -> TestResponse:
    return client.post("/predict", json={"image": base64.encodebytes(png("cab")).decode()})


URL = "data:image/png;base64," + base64.b64encode(png("cab")).decode()
NAMELESS = b'--x\r\nContent-Disposition: form-data; name="image"\r\n%s\r\n'
FORM = "multipart/form-data; boundary=x"


def without_a_file_s_name(image: bytes, kind: bytes = b"") -> Callable[[FlaskClient], TestResponse]:
    body = NAMELESS % kind + image + b"\r\n--x--\r\n"
    return lambda client: client.post("/predict", data=body, content_type=FORM)


def as_gzip(client: FlaskClient) -> TestResponse:
    body = gzip.compress(json.dumps({"image": URL}).encode())
    headers = {"Content-Encoding": "gzip"}
    return client.post("/predict", data=body, content_type="application/json", headers=headers)


def as_json_with_a_mark(client: FlaskClient) -> TestResponse:
    body = b"\xef\xbb\xbf" + json.dumps({"image": URL}).encode()
    return client.post("/predict", data=body, content_type="application/json")


OTHER_WAYS: dict[str, Callable[[FlaskClient], TestResponse]] = {
    "a data URL": lambda client: client.post("/predict", json={"image": URL}),
    "a data URL in upper case": lambda client: client.post(
        "/predict", json={"image": URL.replace("data:image/png;base64", " DATA:;charset=a;BASE64")}
    ),
    "a part with a type": without_a_file_s_name(png("cab"), b"Content-Type: image/png\r\n"),
    "a part without a type": without_a_file_s_name(png("cab")),
    "a part in base64": without_a_file_s_name(base64.encodebytes(png("cab"))),
    "a part with a data URL": without_a_file_s_name(URL.encode(), b"Content-Type: text/plain\r\n"),
    "gzip": as_gzip,
    "a byte order mark": as_json_with_a_mark,
}


@pytest.mark.parametrize(
    "ask",
    [
        *(as_multipart, as_file_field, as_image_body, as_octets, as_json, as_wrapped_base64),
        *(pytest.param(way, id=name) for name, way in OTHER_WAYS.items()),
    ],
)
def test_an_image_is_read_however_it_is_sent(
    client: FlaskClient, ask: Callable[[FlaskClient], TestResponse]
) -> None:
    answer = ask(client)
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["text"], body["model"], body["version"]) == ("cab", "default", 1)
    assert 0.9 < body["confidence"] <= 1
    assert [character["text"] for character in body["characters"]] == ["c", "a", "b"]
    assert body["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "AVIF"])
def test_the_usual_image_formats_are_read(client: FlaskClient, kind: str) -> None:
    assert send(client, encoded(image("cab"), kind)).get_json()["text"] == "cab"


def test_the_model_can_be_chosen_in_every_way_of_sending(client: FlaskClient) -> None:
    image = png("cab")
    text = base64.b64encode(image).decode()
    answers = [
        send(client, image, model="plates"),
        client.post("/predict?model=plates", data=image, content_type="image/png"),
        client.post("/predict?model=plates", data={"image": part(image)}),
        client.post("/predict", json={"image": text, "model": "plates"}),
    ]
    assert [(a.get_json()["model"], a.get_json()["text"]) for a in answers] == [
        ("plates", "ZXY")
    ] * 4


def test_several_images_each_get_a_prediction_or_a_problem_in_order(client: FlaskClient) -> None:
    body = send(client, png("ab"), b"no image", png("c")).get_json()
    first, second, third = body["results"]
    assert (first["text"], third["text"], body["version"]) == ("ab", "c", 1)
    assert (second["error"]["code"], second["error"]["status"]) == ("not_an_image", 400)
    assert "text" not in body


def problem_of(answer: TestResponse) -> dict[str, Any]:
    assert answer.content_type == "application/problem+json"
    document: dict[str, Any] = answer.get_json()
    assert document["status"] == answer.status_code
    assert document["type"] == "about:blank"
    assert document["detail"]
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return document


GZIP: dict[str, Any] = {"content_type": "image/png", "headers": {"Content-Encoding": "gzip"}}
WRONG: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no field": (
        {"data": {}, "content_type": "multipart/form-data"},
        422,
        "request_invalid",
        "image",
    ),
    "other field": ({"data": {"photo": part(png("a"))}}, 422, "request_invalid", "photo"),
    "a file's name": (
        {"data": {"image": "captcha.png"}, "content_type": "multipart/form-data"},
        422,
        "request_invalid",
        "image",
    ),
    "misspelt option": (
        {"data": {"image": part(png("a")), "modle": "plates"}},
        422,
        "request_invalid",
        "modle",
    ),
    "misspelt parameter": (
        {"data": png("a"), "content_type": "image/png", "query_string": {"modle": "plates"}},
        422,
        "request_invalid",
        "modle",
    ),
    "empty field": ({"data": {"image": part(b"")}}, 400, "empty_image", "image"),
    "empty body": ({"content_type": "image/png"}, 400, "empty_image", "body"),
    "not an image": ({"data": {"image": part(b"hello")}}, 400, "not_an_image", "image"),
    "half an image": ({"data": {"image": part(png("a")[:50])}}, 400, "not_an_image", "image"),
    "pdf": ({"data": {"file": part(b"%PDF-1.7")}}, 415, "unsupported_format", "file"),
    "no json": ({"data": b"{", "content_type": "application/json"}, 400, "json_invalid", "JSON"),
    "json list": ({"json": []}, 422, "request_invalid", "body"),
    "json without image": ({"json": {}}, 422, "request_invalid", "image"),
    "json of another type": ({"json": {"image": 7}}, 422, "request_invalid", "image"),
    "json with more": ({"json": {"image": "", "modle": "x"}}, 422, "request_invalid", "modle"),
    "no base64": ({"json": {"image": "§§§"}}, 400, "base64_invalid", "image"),
    "cut base64": ({"json": {"image": "abcde"}}, 400, "base64_invalid", "image"),
    "empty base64": ({"json": {"image": ""}}, 400, "empty_image", "image"),
    "a data url of no base64": (
        {"json": {"image": "data:image/svg+xml,%3Csvg"}},
        400,
        "base64_invalid",
        ";base64,",
    ),
    "spaces and other characters": (
        {"json": {"image": "AAAA BBB§".replace("§", "_")}},
        400,
        "base64_invalid",
        "image",
    ),
    "utf-16": (
        {"data": "\ufeff{}".encode("utf-16-le"), "content_type": "application/json"},
        400,
        "json_invalid",
        "UTF-16",
    ),
    "a gzip that no header tells of": (
        {"data": gzip.compress(b"{}"), "content_type": "application/json"},
        400,
        "json_invalid",
        "Content-Encoding: gzip",
    ),
    "an address": (
        {"json": {"image": "https://example.org/a.png"}},
        400,
        "base64_invalid",
        "an address, which is not fetched",
    ),
    "brotli": (
        {"data": png("a"), "content_type": "image/png", "headers": {"Content-Encoding": "br"}},
        415,
        "unsupported_media_type",
        "gzip",
    ),
    "no gzip": ({"data": png("a"), **GZIP}, 400, "gzip_invalid", "header"),
    "half a gzip": ({"data": gzip.compress(png("a"))[:-9], **GZIP}, 400, "gzip_invalid", "cut"),
    "two gzips": (
        {"data": gzip.compress(png("a")) * 2, **GZIP},
        400,
        "gzip_invalid",
        "more follows",
    ),
    "a gzip of a large body": (
        {"data": gzip.compress(random.Random(0).randbytes(MAX_BODY // 2) * 3), **GZIP},
        413,
        "body_too_large",
        "100,000",
    ),
    "no content type": ({"data": png("a")}, 415, "unsupported_media_type", "Content-Type"),
    "form": (
        {"data": b"x=1", "content_type": "application/x-www-form-urlencoded"},
        415,
        "unsupported_media_type",
        "files={'image'",
    ),
    "broken multipart": (
        {"data": b"--x\r\n", "content_type": "multipart/form-data; boundary=x"},
        400,
        "form_invalid",
        "no Content-Disposition",
    ),
    "unknown model": (
        {"data": {"image": part(png("a")), "model": "plate"}},
        404,
        "model_not_found",
        "default, plates",
    ),
    "large image": (
        {"data": {"image": part(bytes(MAX_IMAGE + 1))}},
        413,
        "image_too_large",
        "20,000 bytes",
    ),
    "large body": ({"data": {"image": part(bytes(MAX_BODY))}}, 413, "body_too_large", "100,000"),
    "large text field": (
        {"data": {"image": part(png("a")), "model": "x" * 70_000}},
        413,
        "body_too_large",
        "65,536",
    ),
    "many images": (
        {"data": {"image": [part(png("a")) for _ in range(4)]}},
        413,
        "too_many_images",
        "limit is 3",
    ),
    "many parts": (
        {"data": {"image": [part(b"") for _ in range(40)]}},
        413,
        "too_many_parts",
        "more than 18 parts",
    ),
}


@pytest.mark.parametrize(("request_", "status", "code", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_told_what_is_wrong_and_where(
    client: FlaskClient, request_: dict[str, Any], status: int, code: str, named: str
) -> None:
    document = problem_of(client.post("/predict", **request_))
    assert (document["status"], document["code"]) == (status, code)
    assert document["hint"]
    assert named in json.dumps([document["detail"], document["hint"], document.get("field")])


def test_an_image_of_too_many_pixels_is_refused_by_its_header(client: FlaskClient) -> None:
    huge = bytearray(encoded(image("a"), "BMP"))
    huge[18:26] = (5000).to_bytes(4, "little") + (5000).to_bytes(4, "little")
    document = problem_of(send(client, bytes(huge)))
    assert (document["status"], document["code"]) == (413, "image_too_large")
    assert "10,000,000 pixels" in document["hint"]
    assert "Cut the line of text out" in document["hint"]


def test_a_large_image_needs_no_writable_disk(
    store: ModelStore, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "build")
    registry.poll()
    client = create_app(PredictorSettings(store=store.root), registry).test_client()
    large = encoded(image("cab").resize((1280, 640)), "BMP")
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="captcha.bmp"\r\n\r\n'
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    answer = client.post(
        "/predict",
        data=head + large + b"\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
    )
    assert answer.get_json()["text"] == "cab"


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    ("images", "fields"),
    [
        ((b"no image",), {}),
        ((b"no image",), {"pattern": "[a-c]+"}),
        ((png("cab"), b"no image", b"no image"), {}),
        ((png("cab"),), {"top_k": "2", "show_input": "true"}),
        ((png("cab"),), {"pattern": "z"}),
        ((b"x" * (MAX_IMAGE + 1),), {}),
        ((png("cab"), b""), {}),
    ],
)
def test_a_version_that_was_replaced_is_given_up_at_once(
    images: tuple[bytes, ...],
    fields: dict[str, str],
    client: FlaskClient,
    registry: Registry,
    store: ModelStore,
    tmp_path: Path,
) -> None:
    """In a cycle, for example with an error's traceback, it would stay until a rare collection."""
    engine = weakref.ref(registry.engine("default"))
    send(client, *images, **fields)
    publish(store, tmp_path / "next")
    registry.poll()
    assert engine() is None


def test_one_bad_image_of_several_gives_one_error_entry(client: FlaskClient) -> None:
    images = [png("cab"), b"", bytes(MAX_IMAGE + 1)]
    found = send(client, *images).get_json()["results"]
    codes = [entry.get("error", {}).get("code") for entry in found]
    assert (codes, found[0]["text"]) == ([None, "empty_image", "image_too_large"], "cab")
    texts = [base64.b64encode(png("ab")).decode(), "§§§"]
    found = client.post("/predict", json={"images": texts}).get_json()["results"]
    assert (found[0]["text"], found[1]["error"]["code"]) == ("ab", "base64_invalid")


def test_unknown_routes_and_methods_are_problems_too(client: FlaskClient) -> None:
    assert problem_of(client.get("/nowhere"))["code"] == "not_found"
    wrong_method = client.get("/predict")
    assert problem_of(wrong_method)["code"] == "method_not_allowed"
    assert "POST" in wrong_method.headers["Allow"]


def test_a_failure_inside_shows_nothing_of_the_inside(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(store, tmp_path / "build")

    class Failing(Registry):
        def served(self, model: str) -> None:
            raise ZeroDivisionError("secret")

    client = create_app(settings_of(store), Failing(settings_of(store))).test_client()
    document = problem_of(send(client, png("a")))
    assert (document["status"], document["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(document)
    assert any(document["request_id"] in record.getMessage() for record in caplog.records)


def test_before_any_model_exists_the_answer_says_what_to_do(
    empty: FlaskClient, store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    answer = send(empty, png("cab"))
    document = problem_of(answer)
    assert (document["status"], document["code"]) == (503, "no_version_served")
    assert "POST /jobs" in document["hint"]
    assert answer.headers["Retry-After"] == "5"
    assert empty.get("/readyz").status_code == 503
    assert empty.get("/models").get_json() == {"default": None, "data": []}
    publish(store, tmp_path / "build")
    registry.poll()
    assert send(empty, png("cab")).get_json()["text"] == "cab"
    assert empty.get("/readyz").status_code == 200


def test_a_gzip_that_unpacks_to_a_thousand_times_its_size_is_refused(
    store: ModelStore, registry: Registry
) -> None:
    client = create_app(PredictorSettings(store=store.root), registry).test_client()
    document = problem_of(client.post("/predict", data=gzip.compress(bytes(20_000_000)), **GZIP))
    assert (document["status"], document["code"]) == (413, "body_too_large")
    assert "100 times" in document["detail"]


def test_which_model_answers_where_none_is_named_follows_the_store(
    store: ModelStore, tmp_path: Path
) -> None:
    settings = settings_of(store).model_copy(update={"serve_starter": True})
    registry = Registry(settings)
    client = create_app(settings, registry).test_client()

    def answered() -> dict[str, Any]:
        registry.poll()
        answer: dict[str, Any] = send(client, png("cab")).get_json()
        usual = client.get("/models").get_json()["default"]
        assert usual == answer.get("model")
        assert client.get("/readyz").status_code == 200
        return answer

    publish(store, tmp_path / "1", model="plates", characters="XYZ")
    only = answered()
    assert (only["model"], only["text"]) == ("plates", "ZXY")
    assert "note" not in only
    publish(store, tmp_path / "2", model="meters", characters="123")
    several = answered()
    assert (several["status"], several["code"]) == (400, "model_not_named")
    assert "meters, plates" in several["detail"] or "plates, meters" in several["detail"]
    store.set_default("meters")
    assert answered()["model"] == "meters"
    publish(store, tmp_path / "3")
    assert answered()["model"] == "meters"
    store.set_default(None)
    assert answered()["model"] == "default"
    (store.root / DEFAULT).write_text("gone\n")
    gone = answered()
    assert (gone["status"], gone["code"]) == (404, "model_not_found")
    assert "'gone'" in gone["detail"] and "plates" in gone["hint"]
    assert send(client, png("cab"), model="plates").get_json()["text"] == "ZXY"


def test_a_setting_names_the_model_that_answers_until_a_default_is_chosen(
    store: ModelStore, tmp_path: Path
) -> None:
    settings = settings_of(store).model_copy(update={"default_model": "meters"})
    registry = Registry(settings)
    client = create_app(settings, registry).test_client()
    publish(store, tmp_path / "1")
    registry.poll()
    missing = problem_of(send(client, png("cab")))
    assert (missing["status"], missing["code"]) == (404, "model_not_found")
    assert "READSMITH_DEFAULT_MODEL" in missing["detail"]
    publish(store, tmp_path / "2", model="meters")
    registry.poll()
    assert send(client, png("cab")).get_json()["model"] == "meters"
    store.set_default("default")
    registry.poll()
    assert send(client, png("cab")).get_json()["model"] == "default"


def test_before_any_version_exists_the_starter_answers_and_says_so(
    store: ModelStore, tmp_path: Path
) -> None:
    settings = settings_of(store).model_copy(update={"serve_starter": True})
    registry = Registry(settings)
    registry.poll()
    client = create_app(settings, registry).test_client()
    answer = send(client, drawn("MARKET", (160, 48), 1)).get_json()
    assert (answer["text"], answer["model"]) == ("MARKET", "starter")
    assert "POST /jobs" in answer["note"]
    assert client.get("/readyz").status_code == 200
    assert [model["model"] for model in client.get("/models").get_json()["data"]] == ["starter"]
    named = problem_of(send(client, png("cab"), model="default"))
    assert (named["status"], named["code"]) == (503, "no_version_served")
    publish(store, tmp_path / "build")
    registry.poll()
    assert send(client, png("cab")).get_json()["text"] == "cab"
    by_name = send(client, drawn("MARKET", (160, 48), 1), model="starter").get_json()
    assert by_name["text"] == "MARKET"
    assert "note" not in by_name
    other = problem_of(send(client, png("cab"), model="starter", version="3"))
    assert (other["code"], other["hint"]) == ("version_not_found", "Retained: 1.")


def test_the_starter_reads_letters_in_the_case_that_the_limits_allow(store: ModelStore) -> None:
    settings = settings_of(store).model_copy(update={"serve_starter": True})
    registry = Registry(settings)
    registry.poll()
    client = create_app(settings, registry).test_client()
    image, small = drawn("MARKET", (160, 48), 1), "abcdefghijklmnopqrstuvwxyz"
    folded = send(client, image, charset=small).get_json()
    assert folded["text"] == "market"
    kept = send(client, image, charset=small, fold_case="false").get_json()
    assert kept["confidence"] < folded["confidence"] / 2


def test_the_starter_does_not_stand_in_for_a_version_that_was_refused(
    store: ModelStore, tmp_path: Path
) -> None:
    settings = settings_of(store).model_copy(update={"serve_starter": True})
    manifest = publish(store, tmp_path / "build")
    (store.folder(manifest.model, manifest.version) / ONNX_MODEL).write_bytes(b"broken")
    registry = Registry(settings)
    registry.poll()
    client = create_app(settings, registry).test_client()
    assert problem_of(send(client, png("cab")))["code"] == "no_version_served"
    assert client.get("/readyz").status_code == 503


def test_a_models_own_pattern_holds_unless_a_request_gives_another(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(pattern="[ab]{2}"))
    registry.poll()
    assert re.fullmatch("[ab]{2}", send(client, png("cab")).get_json()["text"])
    assert send(client, png("cab"), pattern=".*").get_json()["text"] == "cab"


def test_a_pattern_that_no_text_of_the_model_fits_is_refused_and_the_old_one_kept(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(pattern="Z"))
    registry.poll()
    assert send(client, png("cab")).get_json()["text"] == "cab"
    assert "Z" in client.get("/readyz").get_json()["models"]["default"]["rejection"]["reason"]


def test_limits_that_only_the_models_own_pattern_makes_impossible_are_told_whose_it_is(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(pattern="[ab]{2}"))
    registry.poll()
    refused = problem_of(send(client, png("cab"), min_length="3"))
    assert (refused["code"], refused["field"]) == ("no_text_fits", "min_length")
    assert "the model's own pattern, [ab]{2}" in refused["detail"]
    assert send(client, png("cab"), min_length="3", pattern=".*").get_json()["text"] == "cab"


def test_a_models_own_list_holds_unless_a_request_gives_another(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(allowed=("cab", "ab")))
    registry.poll()
    assert send(client, png("cab")).get_json()["text"] == "cab"
    other = send(client, png("bcb")).get_json()
    assert (other["text"], other["reason"]["code"]) == (None, "none_allowed")
    assert send(client, png("bcb"), allowed="bcb").get_json()["text"] == "bcb"
    assert send(client, png("bcb"), allowed="").get_json()["text"] == "bcb"


def test_the_models_own_threshold_rejects_unless_a_request_gives_another(
    client: FlaskClient, store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    unsure = {ONNX_MODEL: onnx_graph(sharpness=40.0), "golden/predictions.json": b"[]"}
    publish(store, tmp_path / "unsure", files=unsure, change=imported)
    store.change_settings("default", ModelSettings(allowed=("aab",), allowed_threshold=0.0))
    registry.poll()
    assert send(client, png("cab")).get_json()["text"] == "aab"
    assert send(client, png("cab"), allowed_threshold="0.9").get_json()["text"] is None


def test_a_number_whose_check_digit_is_wrong_is_read_as_the_likeliest_right_one_or_rejected(
    client: FlaskClient, store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    digits = "0123456789"
    unsure = {ONNX_MODEL: onnx_graph(digits, sharpness=250.0), "golden/predictions.json": b"[]"}
    publish(
        store, tmp_path / "d", model="numbers", characters=digits, files=unsure, change=imported
    )
    store.change_settings("numbers", ModelSettings(check_digit="luhn"))
    registry.poll()
    right, wrong = png("18", digits), png("17", digits)
    assert send(client, wrong, model="numbers", check_digit="none").get_json()["text"] == "17"
    assert send(client, right, model="numbers").get_json()["text"] == "18"
    put_right = send(client, wrong, model="numbers", allowed_threshold="0.1").get_json()
    assert (put_right["text"], put_right["confidence"] < 0.5) == ("18", True)
    rejected = send(client, wrong, model="numbers").get_json()
    assert (rejected["text"], rejected["reason"]["code"]) == (None, "none_allowed")
    never = send(client, right, model="numbers", check_digit="iban").get_json()
    assert (never["text"], never["confidence"]) == (None, 0.0)
    assert never["reason"]["code"] == "none_allowed"


def test_a_list_none_of_which_the_model_can_spell_is_refused_and_the_old_one_kept(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(allowed=("Z",)))
    registry.poll()
    assert send(client, png("cab")).get_json()["text"] == "cab"
    reason = client.get("/readyz").get_json()["models"]["default"]["rejection"]["reason"]
    assert "can spell none of the allowed texts" in reason


def test_limits_that_only_the_models_own_list_makes_impossible_are_told_whose_it_is(
    client: FlaskClient, store: ModelStore, registry: Registry
) -> None:
    store.change_settings("default", ModelSettings(allowed=("cab", "ab")))
    registry.poll()
    refused = problem_of(send(client, png("cab"), min_length="4"))
    assert (refused["code"], refused["field"]) == ("no_text_fits", "min_length")
    assert "the model's own list of allowed texts" in refused["detail"]
    assert send(client, png("cab"), min_length="3", allowed="").get_json()["text"] == "cab"


def test_a_model_that_is_not_served_is_told_from_one_that_is_not_there(
    client: FlaskClient, store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "waiting", model="waiting", promote=False)
    publish(store, tmp_path / "broken", model="broken", files={ONNX_MODEL: b"no graph"})
    registry.poll()
    waiting = problem_of(send(client, png("cab"), model="waiting"))
    broken = problem_of(send(client, png("cab"), model="broken"))
    assert (waiting["status"], waiting["code"], waiting["field"]) == (
        503,
        "no_version_served",
        "model",
    )
    assert "promote" in waiting["hint"]
    assert send(client, png("cab"), model="waiting", version="1").get_json()["text"] == "cab"
    assert (broken["status"], broken["code"]) == (503, "no_version_served")
    assert "refused" in broken["detail"]
    assert problem_of(send(client, png("cab"), model="none"))["status"] == 404


def test_a_sane_request_id_is_kept_and_another_is_replaced(client: FlaskClient) -> None:
    kept = client.get("/healthz", headers={"X-Request-ID": "abc-1.2_3"})
    assert kept.headers["X-Request-ID"] == "abc-1.2_3"
    for bad in ("x" * 65, "a b", "<script>"):
        replaced = client.get("/healthz", headers={"X-Request-ID": bad})
        assert len(replaced.headers["X-Request-ID"]) == 32


def test_models_are_described(client: FlaskClient) -> None:
    default, plates = client.get("/models").get_json()["data"]
    assert (default["model"], default["version"], default["vocabulary"]) == ("default", 1, "abc")
    assert default["image"]["width"] == 64
    assert (default["exact_match"], default["origin"]) == (1.0, "trained")
    assert (plates["model"], plates["vocabulary"]) == ("plates", "XYZ")


def test_readiness_tells_which_version_was_refused_and_why(
    client: FlaskClient, store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "broken", files={ONNX_MODEL: b"no graph"})
    registry.poll()
    answer = client.get("/readyz")
    default = answer.get_json()["models"]["default"]
    assert answer.status_code == 200
    assert (default["version"], default["wanted"], default["rejections"]) == (1, 2, 1)
    assert default["rejection"]["version"] == 2
    assert "prediction_model.onnx" in default["rejection"]["reason"]


def test_the_start_page_names_every_route(client: FlaskClient) -> None:
    routes = set(client.get("/").get_json()["routes"])
    known = {" ".join(route) for route in routes_of(client.application)}
    assert routes == known - {"GET /"}


def test_metrics_count_requests_images_and_versions(client: FlaskClient) -> None:
    send(client, png("a"), png("b"), model="plates")
    page = client.get("/metrics").get_data(as_text=True)
    for line in (
        'readsmith_predictor_requests_total{method="POST",route="/predict",status="200"}',
        'readsmith_predictions_total{model="plates",version="1"}',
        'readsmith_predictor_reloads_total{model="plates"}',
        'readsmith_predictor_model_version{model="plates"} 1.0',
        'readsmith_predictor_request_seconds_count{route="/predict"}',
    ):
        assert line in page


@pytest.fixture
def finder(
    store: ModelStore, registry: Registry, empty: FlaskClient, tmp_path: Path
) -> FlaskClient:
    """A client of a predictor whose model finds the line in a photograph."""
    publish_detector(store, tmp_path / "default")
    registry.poll()
    return empty


def test_the_corners_of_a_line_that_was_found_are_answered(finder: FlaskClient) -> None:
    answer = send(finder, photograph_file("abca"), top_k="2").get_json()
    assert answer["text"] == "abca"
    found = [tuple(corner) for corner in answer["corners"]]
    assert found == [pytest.approx(corner, abs=8) for corner in CORNERS]
    assert Prediction.model_validate(answer).corners == tuple(found)


def test_where_no_line_is_found_nothing_is_read_and_the_answer_says_why(
    finder: FlaskClient,
) -> None:
    nothing = encoded(Image.new("RGB", (320, 240), BLUE))
    answers = send(finder, nothing, photograph_file("c"), show_input="true").get_json()["results"]
    assert (answers[0]["text"], answers[0]["confidence"]) == ("", 0.0)
    assert answers[0]["reason"]["code"] == "no_line"
    assert answers[0].keys().isdisjoint({"input", "corners"})
    assert answers[1]["text"] == "c"
    listed = send(finder, nothing, allowed="ab\nc").get_json()
    assert (listed["text"], listed["reason"]["code"]) == ("", "no_line")


def test_a_shot_without_a_line_is_left_out_and_said(finder: FlaskClient) -> None:
    nothing = encoded(Image.new("RGB", (320, 240), BLUE))
    together = send(finder, nothing, photograph_file("abca"), combine="true").get_json()
    assert (together["text"], together["frame"]) == ("abca", 1)
    assert together["frames"][0]["error"]["code"] == "no_line"
    assert len(together["corners"]) == 4
    none = send(finder, nothing, nothing, combine="true")
    assert (none.status_code, none.get_json()["code"]) == (422, "no_line")


def test_images_that_are_cut_already_are_read_with_crop_off(finder: FlaskClient) -> None:
    answer = send(finder, png("bca"), crop="off").get_json()
    assert answer["text"] == "bca"
    assert "corners" not in answer
    body = {"image": base64.b64encode(png("bca")).decode(), "crop": "off"}
    assert finder.post("/predict", json=body).get_json()["text"] == "bca"
    refused = send(finder, png("bca"), crop="no")
    assert (refused.status_code, refused.get_json()["field"]) == (422, "crop")


def test_a_model_without_a_detector_takes_crop_and_answers_no_corners(client: FlaskClient) -> None:
    for crop in ("auto", "off"):
        answer = send(client, png("cab"), crop=crop).get_json()
        assert answer["text"] == "cab"
        assert "corners" not in answer
