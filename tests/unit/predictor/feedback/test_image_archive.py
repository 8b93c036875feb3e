"""Images are kept only where that is allowed, within limits, and for a look."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from predictor.api.app import create_app
from predictor.feedback.image_archive import ArchivedImage, ImageArchive
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.errors import ReadsmithError
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.models.bundles import encoded, image, imported, onnx_graph, png, publish

DAY = 86_400


def keeping(folder: Path, **settings: Any) -> ImageArchive:
    return ImageArchive(PredictorSettings(image_archive=folder / "images", **settings))


def one(number: int, confidence: float = 0.5, **facts: Any) -> ArchivedImage:
    created = time.time() + number
    kept = ArchivedImage(f"r{number}", 0, "default", 1, "cab", confidence, created, b"x" * 100)
    return kept._replace(**facts)


def ids(kept: ImageArchive, model: str | None = None) -> list[str]:
    return [each.request_id for each in kept.least_confident(model, 100)[0]]


def test_the_least_sure_come_first_of_one_model_or_of_all(tmp_path: Path) -> None:
    kept = keeping(tmp_path)
    kept.add([one(1, 0.9), one(2, 0.1), one(3, 0.4, model="plates")])
    assert ids(kept) == ["r2", "r3", "r1"]
    assert ids(kept, "default") == ["r2", "r1"]
    assert kept.least_confident("default", 1)[1] == 2


@pytest.mark.parametrize(
    ("limit", "stays"),
    [
        ({"image_archive_count": 2}, ["r3", "r4"]),
        ({"image_archive_bytes": 350}, ["r2", "r3", "r4"]),
        ({"image_archive_days": 0.5}, ["r1", "r2", "r3", "r4"]),
    ],
    ids=str,
)
def test_the_oldest_go_by_every_limit(
    tmp_path: Path, limit: dict[str, Any], stays: list[str]
) -> None:
    kept = keeping(tmp_path, **limit)
    kept.add([one(0, created=time.time() - DAY)])
    kept.flush()
    kept.add(one(number) for number in range(1, 5))
    assert sorted(ids(kept)) == stays


def test_what_is_deleted_leaves_the_file(tmp_path: Path) -> None:
    kept = keeping(tmp_path)
    kept.add([one(1, image=b"a secret image" * 1000), one(2)])
    kept.flush()
    (file,) = (tmp_path / "images").iterdir()
    before = file.stat().st_size
    kept.remove("r1.0")
    assert b"a secret image" not in file.read_bytes()
    assert file.stat().st_size < before - 10_000


def test_two_workers_share_what_is_kept(tmp_path: Path) -> None:
    first, second = keeping(tmp_path), keeping(tmp_path)
    first.add([one(1)])
    second.add([one(2)])
    first.flush()
    assert ids(second) == ["r1", "r2"]
    second.mark_done("r1.0")
    assert ids(first) == ["r2"]
    assert first.get("r1.0").text == "cab"
    second.remove("r2.0")
    with pytest.raises(ReadsmithError, match=r"No image r2\.0"):
        first.get("r2.0")


def test_what_another_worker_is_about_to_write_is_found(tmp_path: Path) -> None:
    first, second = keeping(tmp_path), keeping(tmp_path)
    second.start()
    second.add([one(1)])
    assert first.get("r1.0").text == "cab"


def test_a_disk_that_is_full_costs_no_more_than_what_waited(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file where the folder should be")
    kept = keeping(tmp_path)
    kept.add([one(1)])
    with pytest.raises(ReadsmithError, match="cannot be used") as error:
        kept.flush()
    assert error.value.code == "storage_unavailable"
    (tmp_path / "images").unlink()
    kept.add([one(2)])
    assert ids(kept) == ["r2"]


def test_what_comes_faster_than_it_is_written_is_not_kept(tmp_path: Path) -> None:
    kept = keeping(tmp_path)
    kept.add(one(number, image=bytes(10_000_000)) for number in range(5))
    assert ids(kept) == ["r0", "r1", "r2"]


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A client of a predictor that keeps images; its version 2 is less sure than version 1."""
    store = ModelStore(tmp_path / "models")
    publish(store, tmp_path / "1")
    unsure = {ONNX_MODEL: onnx_graph(sharpness=20.0), "golden/predictions.json": b"[]"}
    publish(store, tmp_path / "2", files=unsure, change=imported)
    settings = PredictorSettings(store=store.root, image_archive=tmp_path / "images")
    registry = Registry(settings)
    registry.poll()
    return create_app(settings, registry, None, ImageArchive(settings)).test_client()


def read(client: FlaskClient, *images: bytes, version: int = 1) -> dict[str, Any]:
    files = [(io.BytesIO(image), "a.png") for image in images]
    answer = client.post("/predict", data={"image": files, "version": str(version)})
    assert answer.status_code == 200
    return dict(answer.get_json())


def test_what_was_read_waits_for_a_look_with_its_image_until_it_is_deleted(
    client: FlaskClient,
) -> None:
    sure = read(client, png("ab"))
    unsure = read(client, b"no image", encoded(image("cab"), "BMP"), version=2)

    page = client.get("/review?model=default").get_json()
    first, second = page["data"]
    assert page["count"] == 2
    assert (first["request_id"], first["index"]) == (unsure["request_id"], 1)
    assert (first["version"], first["text"]) == (2, "cab")
    assert first["confidence"] == unsure["results"][1]["confidence"] < sure["confidence"]
    assert second["request_id"] == sure["request_id"]

    shown = client.get(first["image"])
    assert (shown.content_type, shown.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert Image.open(io.BytesIO(shown.data)).tobytes() == image("cab").tobytes()

    assert client.delete(first["image"]).status_code == 204
    assert client.delete(first["image"]).get_json()["code"] == "image_not_found"
    assert client.get("/review").get_json()["data"] == [second]


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [("limit=0", "limit", "from 1 to 1000"), ("modle=x", "modle", "model")],
)
def test_a_wrong_query_is_told_what_is_right(
    client: FlaskClient, query: str, field: str, hint: str
) -> None:
    problem = client.get(f"/review?{query}").get_json()
    assert (problem["status"], problem["code"]) == (422, "request_invalid")
    assert problem["field"] == field
    assert hint in problem["hint"]


def test_nothing_is_kept_unless_a_folder_is_named(tmp_path: Path) -> None:
    publish(ModelStore(tmp_path / "models"), tmp_path / "1")
    settings = PredictorSettings(store=tmp_path / "models")
    registry = Registry(settings)
    registry.poll()
    client = create_app(settings, registry).test_client()
    read(client, png("ab"))
    for ask in (client.get("/review"), client.get("/review/x.0"), client.delete("/review/x.0")):
        assert (ask.status_code, ask.get_json()["code"]) == (404, "archive_disabled")
        assert "READSMITH_IMAGE_ARCHIVE" in ask.get_json()["hint"]
