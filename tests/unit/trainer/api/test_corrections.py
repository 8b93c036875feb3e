"""Corrections over HTTP, as the dashboard and the predictor send them."""

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from shared.access.tokens import Scope
from tests.support.api.keys import bearer
from tests.support.api.problems import fields, problem
from tests.support.labelled_images import image
from trainer.api.app import create_app
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.settings import Settings

URL = "/models/plates/corrections"


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    small = settings.model_copy(update={"max_corrections_bytes": 2_000})
    with TestClient(create_app(small), raise_server_exceptions=False) as client:
        yield client


def send(api: TestClient, text: str = "AB1", data: bytes | None = None, **more: Any) -> Any:
    data = image("AB1") if data is None else data
    return api.post(URL, files={"image": ("a.png", data)}, data={"text": text, **more})


def test_a_correction_is_kept_and_read_again(api: TestClient) -> None:
    answer = send(api, " AB1 ", read="A81", confidence="0.6", version="3", source="dashboard")
    assert answer.status_code == 201
    kept = answer.json()
    assert {name: kept[name] for name in ("model", "text", "read", "confidence", "version")} == {
        "model": "plates",
        "text": "AB1",
        "read": "A81",
        "confidence": 0.6,
        "version": 3,
    }
    assert api.get(answer.headers["location"]).json() == kept
    assert api.get(URL).json() == {"data": [kept], "count": 1, "has_more": False}
    assert api.get("/models/other/corrections").json()["count"] == 0


def test_json_with_base64_does_the_same(api: TestClient) -> None:
    body = {"image": base64.b64encode(image("AB1")).decode(), "text": "AB1"}
    first = api.post(URL, json=body)
    assert first.status_code == 201
    assert send(api, "AB2").json()["id"] == first.json()["id"]


def test_the_same_image_again_replaces_the_text(api: TestClient) -> None:
    first, again = send(api, "AB1", read="A81"), send(api, "AB7")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    (kept,) = api.get(URL).json()["data"]
    assert (kept["text"], kept["read"]) == ("AB7", None)


def test_a_text_is_changed_and_a_correction_deleted(api: TestClient, settings: Settings) -> None:
    address = send(api).headers["location"]
    assert api.patch(address, json={"text": " XY "}).json()["text"] == "XY"
    problem(api.patch(address, json={"text": ""}), 422, "request_invalid")
    assert len(list(((settings.state / "corrections") / "plates").iterdir())) == 1
    assert api.delete(address).status_code == 204
    assert list(((settings.state / "corrections") / "plates").iterdir()) == []
    for method in ("GET", "DELETE"):
        problem(api.request(method, address), 404, "correction_not_found")
    problem(api.patch(address, json={"text": "XY"}), 404, "correction_not_found")
    assert send(api).status_code == 201


def test_pages_go_from_the_newest_to_the_oldest(api: TestClient) -> None:
    for text in ("A", "B", "C"):
        send(api, text, image(text))
    first = api.get(f"{URL}?limit=2").json()
    assert [one["text"] for one in first["data"]] == ["C", "B"]
    assert (first["count"], first["has_more"]) == (3, True)
    last = api.get(f"{URL}?limit=2&after={first['data'][-1]['id']}").json()
    assert ([one["text"] for one in last["data"]], last["has_more"]) == (["A"], False)
    problem(api.get(f"{URL}?after=correction-1"), 404, "correction_not_found")


def test_the_image_is_shown_small_and_never_as_it_was_sent(api: TestClient) -> None:
    wide = io.BytesIO()
    Image.new("RGB", (1000, 100)).save(wide, "GIF", comment=b"<script>alert(1)</script>")
    shown = api.get(send(api, data=wide.getvalue()).json()["image"])
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(shown.content)).size == (400, 40)
    assert b"script" not in shown.content


def test_the_zip_is_a_dataset_with_the_right_labels(api: TestClient, tmp_path: Path) -> None:
    texts = {'a,"b', "=1+1", "京"}
    for number, text in enumerate(texts):
        send(api, text, image("X", seed=number))
    answer = api.get("/models/plates/corrections.zip")
    assert answer.headers["content-type"] == "application/zip"
    path = tmp_path / "set.zip"
    path.write_bytes(answer.content)
    assert zipfile.ZipFile(path).testzip() is None
    assert set(find_labels(open_source(path), "auto").labels.values()) == texts
    upload = api.post("/datasets", files={"file": answer.content})
    assert upload.status_code == 201


@pytest.mark.parametrize(
    ("form", "field", "message"),
    [
        ({"text": " "}, "text", 'is empty (not " ")'),
        ({"text": "A", "confidence": "2"}, "confidence", "should be less than or equal to 1"),
        ({"text": "A", "read": "\x07"}, "read", "holds control characters"),
        ({"text": "A", "sure": "yes"}, "sure", "is not a field that is known here"),
        ({}, "text", "is required"),
    ],
)
def test_a_wrong_field_is_named(
    api: TestClient, form: dict[str, str], field: str, message: str
) -> None:
    answer = api.post(URL, files={"image": image("A")}, data=form)
    (found,) = fields(problem(answer, 422, "request_invalid")).items()
    assert found[0] == field
    assert found[1].startswith(message)


def test_what_is_no_image_is_refused(api: TestClient, settings: Settings) -> None:
    problem(send(api, data=b"not an image"), 400, "not_an_image")
    problem(send(api, data=b"<svg></svg>" + b" " * 20), 415, "unsupported_format")
    problem(api.post(URL, data={"text": "A"}, files={}), 415, "unsupported_media_type")
    problem(api.post(URL, json={"text": "A", "image": "%"}), 422, "request_invalid")
    problem(api.post(URL, json=[]), 422, "request_invalid")
    json_header = {"Content-Type": "application/json"}
    problem(api.post(URL, content=b"{", headers=json_header), 400, "json_invalid")
    form_header = {"Content-Type": "multipart/form-data"}
    problem(api.post(URL, content=b"{", headers=form_header), 400, "bad_request")
    problem(api.post("/models/..x/corrections", json={"text": "A"}), 422, "request_invalid")
    assert not (settings.state / "corrections").exists()


def test_there_is_no_room_for_more_than_the_settings_allow(api: TestClient) -> None:
    size = len(image("A"))
    sent = [send(api, "A", image("A", seed=seed)).status_code for seed in range(3000 // size)]
    assert sent[0] == 201
    assert sent[-1] == 507
    problem(send(api, "A", image("A", seed=99)), 507, "corrections_full")
    assert send(api, "B", image("A", seed=0)).status_code == 200


def test_whoever_may_read_may_correct_but_not_look_at_others_images(settings: Settings) -> None:
    reader = bearer(settings.keys, "phone", Scope.PREDICT)
    trainer = bearer(settings.keys, "trainer", Scope.TRAIN)
    with TestClient(create_app(settings)) as api:
        sent = api.post(URL, files={"image": image("A")}, data={"text": "A"}, headers=reader)
        assert sent.status_code == 201
        for path in (URL, sent.json()["image"], "/models/plates/corrections.zip"):
            problem(api.get(path, headers=reader), 403, "scope_missing")
            assert api.get(path, headers=trainer).status_code == 200
        address = sent.headers["location"]
        problem(api.delete(address, headers=reader), 403, "scope_missing")
        assert api.delete(address, headers=trainer).status_code == 204
