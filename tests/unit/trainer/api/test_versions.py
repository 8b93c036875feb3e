"""Looking closely at a published version over HTTP."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.api.problems import problem
from tests.support.hostile.graphs import crashing
from tests.support.models.bundles import encoded, image, png
from tests.support.models.bundles import publish as publish_bundle
from trainer.api.app import create_app
from trainer.settings import Settings

VERSION = "/models/default/versions/1"


def report(held_out: dict[str, str]) -> dict[str, bytes]:
    """Return a report's files: the held-out images show the keys and are labelled otherwise."""
    images = {f"report/held_out/{n:04}.png": png(text) for n, text in enumerate(held_out)}
    rows = [f"{n:04}.png,{label}" for n, label in enumerate(held_out.values())]
    worst = "image,file,truth,text,confidence\n01.png,x/a.png,ab,ba,0.75\n"
    return {
        "report/metrics.json": json.dumps({"exact_match": 0.5}).encode(),
        "report/worst/worst.csv": worst.encode(),
        "report/worst/01.png": png("ba"),
        "report/held_out/labels.csv": "\n".join(["filename,text", *rows]).encode(),
        **images,
    }


@pytest.fixture
def api(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    store = ModelStore(settings.store)
    publish_bundle(store, tmp_path / "a", files=report({"abc": "abc", "a": "b"}))
    more = report({"abc": "abc", "cc": "cc"}) | {"report/photo.jpg": encoded(image("a"), "JPEG")}
    publish_bundle(store, tmp_path / "b", files=more)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_version_tells_what_its_manifest_says(api: TestClient) -> None:
    version = api.get(VERSION).json()
    listed = api.get("/models/default").json()["versions"][0]
    assert {**listed, **version} == version
    assert version["vocabulary"] == "abc"
    assert version["image"]["height"] == 16
    assert version["files"][ONNX_MODEL]["size"] > 0


def test_a_report_names_the_worst_predictions_and_their_images(api: TestClient) -> None:
    told = api.get(f"{VERSION}/report").json()
    [worst] = told.pop("worst")
    assert told == {"exact_match": 0.5}
    assert worst == {
        "image": "report/worst/01.png",
        "file": "x/a.png",
        "truth": "ab",
        "text": "ba",
        "confidence": 0.75,
    }
    shown = api.get(f"{VERSION}/files/{worst['image']}")
    assert shown.headers["content-type"] == "image/png"
    assert shown.content == png("ba")


def test_files_are_downloaded_as_they_are_and_images_as_png(api: TestClient) -> None:
    graph = api.get(f"{VERSION}/files/{ONNX_MODEL}")
    assert graph.headers["content-disposition"] == f'attachment; filename="default-1-{ONNX_MODEL}"'
    assert len(graph.content) == api.get(VERSION).json()["files"][ONNX_MODEL]["size"]
    manifest = api.get(f"{VERSION}/files/manifest.json").json()
    assert manifest["version"] == 1
    photo = api.get("/models/default/versions/2/files/report/photo.jpg")
    assert Image.open(io.BytesIO(photo.content)).format == "PNG"


@pytest.mark.parametrize(
    "file", ["nothing.txt", "../2/manifest.json", "%2e%2e/current", "/etc/passwd", "report"]
)
def test_only_files_that_the_manifest_lists_are_downloaded(api: TestClient, file: str) -> None:
    answer = api.get(f"{VERSION}/files/{file}")
    assert answer.status_code == 404


def test_a_report_is_downloaded_as_a_zip(api: TestClient) -> None:
    packed = api.get(f"{VERSION}/report.zip")
    assert packed.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert set(archive.namelist()) == {
            name.removeprefix("report/") for name in report({"abc": "abc", "a": "b"})
        }
        assert archive.read("worst/01.png") == png("ba")


def test_two_versions_are_compared_on_the_images_of_both_each_once(api: TestClient) -> None:
    compared = api.get("/models/default/compare?a=1&b=2").json()
    counts = [compared[f"{who}_correct"] for who in ("both", "only_a", "only_b", "neither")]
    assert counts == [2, 0, 0, 1]
    assert len(compared["images"]) == 3
    wrong = compared["images"][0]
    assert (wrong["truth"], wrong["a"]["text"], wrong["b"]["text"]) == ("b", "a", "a")
    assert not wrong["a"]["correct"]
    assert api.get(wrong["image"]).content == png("a")


def test_a_version_whose_graph_crashes_is_not_compared(
    api: TestClient, settings: Settings, tmp_path: Path
) -> None:
    files = {ONNX_MODEL: crashing(), **report({"abc": "abc"})}
    publish_bundle(ModelStore(settings.store), tmp_path / "c", model="bad", files=files)
    document = problem(api.get("/models/bad/compare?a=1&b=1"), 409, "bundle_invalid")
    assert "crashes" in document["detail"]


def test_what_is_not_kept_is_named(api: TestClient, settings: Settings, tmp_path: Path) -> None:
    problem(api.get("/models/none/versions/1"), 404, "model_not_found")
    document = problem(api.get("/models/default/versions/9"), 404, "version_not_found")
    assert "1, 2" in document["hint"]
    problem(api.get("/models/default/compare?a=1&b=9"), 404, "version_not_found")
    publish_bundle(ModelStore(settings.store), tmp_path / "c", model="bare")
    problem(api.get("/models/bare/versions/1/report"), 404, "file_not_found")
    problem(api.get("/models/bare/versions/1/report.zip"), 404, "file_not_found")
    problem(api.get("/models/bare/compare?a=1&b=1"), 409, "no_held_out_images")
