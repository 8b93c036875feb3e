"""Looking at a dataset over HTTP before a job trains on it."""

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.support.api.problems import fields, problem
from tests.support.hostile.tars import labelled_tar, of_type
from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from tests.support.services.web_site import answer, serve
from trainer.api.app import create_app
from trainer.pipeline.datasets import check as dataset_check
from trainer.settings import Settings


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    changed = settings.model_copy(update={"download_allow": "127.0.0.1"})
    with TestClient(create_app(changed), raise_server_exceptions=False) as client:
        yield client


def send(api: TestClient, path: Path) -> str:
    answer = api.post("/datasets", files={"file": path.read_bytes()})
    assert answer.status_code == 201
    return str(answer.json()["id"])


def test_a_check_tells_what_a_job_would_find_and_shows_samples(
    api: TestClient, tmp_path: Path
) -> None:
    labels = texts(30, seed=1)
    dataset = send(api, labelled_zip(tmp_path / "set.zip", labels))
    check = api.post(f"/datasets/{dataset}/check", json={}).json()
    assert check["summary"]["images"] == sum(check["summary"]["split"].values())
    assert check["summary"]["vocabulary"] == "AHX"
    assert len(check["samples"]) == 24
    for sample in check["samples"]:
        assert sample["label"] == labels[int(sample["file"].removesuffix(".png"))]
    assert check == api.post(f"/datasets/{dataset}/check", json={"labels": "auto"}).json()


def test_a_check_says_why_no_job_could_train(api: TestClient, tmp_path: Path) -> None:
    dataset = send(api, labelled_zip(tmp_path / "set.zip", ["AB", "C"]))
    document = problem(api.post(f"/datasets/{dataset}/check", json={}), 422, "too_few_images")
    assert "2 usable labelled images" in document["detail"]
    document = problem(
        api.post(f"/datasets/{dataset}/check", json={"labels": "words"}), 422, "request_invalid"
    )
    assert "labels" in fields(document)


def test_a_dataset_shows_its_images_and_nothing_else(api: TestClient, tmp_path: Path) -> None:
    files = {"a/1.png": image("AB", (900, 60)), "bad.png": b"no image", "b.txt": b"text"}
    dataset = send(api, write_zip(tmp_path / "set.zip", files))
    shown = api.get(f"/datasets/{dataset}/images", params={"file": "a/1.png"})
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(shown.content)).size == (400, 27)
    for name in ("b.txt", "c.png", "../a/1.png"):
        missing = api.get(f"/datasets/{dataset}/images", params={"file": name})
        problem(missing, 404, "image_not_found")
    bad = api.get(f"/datasets/{dataset}/images", params={"file": "bad.png"})
    problem(bad, 400, "not_an_image")


def test_a_tar_is_a_dataset_like_a_zip(
    api: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {f"{i:03}"[::-1]: image(f"{i:03}"[::-1], seed=i) for i in range(12)}
    (tmp_path / "set.tar").write_bytes(labelled_tar(images))
    dataset = send(api, tmp_path / "set.tar")
    check = api.post(f"/datasets/{dataset}/check", json={}).json()
    assert check["summary"]["images"] == 12
    assert {"file": "300.png", "label": "300"} in check["samples"]
    shown = f"/datasets/{dataset}/images?file=300.png"
    assert Image.open(io.BytesIO(api.get(shown).content)).size == (64, 32)
    monkeypatch.setattr(dataset_check, "SHOWN_TAR_BYTES", 100)
    problem(api.get(shown), 404, "image_not_found")


def test_what_is_wrong_with_a_tar_is_told_where_it_is_looked_at(
    api: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "set.tar").write_bytes(of_type(tarfile.SYMTYPE, "/etc/passwd"))
    dataset = send(api, tmp_path / "set.tar")
    problem(api.post(f"/datasets/{dataset}/check", json={}), 422, "dataset_unsafe")
    problem(api.get(f"/datasets/{dataset}/images?file=a.png"), 422, "dataset_unsafe")


def test_what_is_not_there_is_not_found(api: TestClient) -> None:
    nothing = f"/datasets/dataset-{'0' * 32}"
    problem(api.post(f"{nothing}/check", json={}), 404, "dataset_not_found")
    problem(api.get(f"{nothing}/images?file=a.png"), 404, "dataset_not_found")


def test_a_zip_from_the_web_becomes_an_upload(api: TestClient, tmp_path: Path) -> None:
    data = labelled_zip(tmp_path / "set.zip", texts(12)).read_bytes()
    with serve({"/set.zip": lambda handler: answer(handler, data)}) as web:
        received = api.post("/datasets", json={"url": f"{web.url}/set.zip"})
    assert received.status_code == 201
    assert received.json()["bytes"] == len(data)
    assert api.get(received.headers["location"]).json() == received.json()
    assert api.get("/datasets").json() == {"data": [received.json()], "has_more": False}


def test_downloads_for_uploads_keep_to_the_limit_of_the_cache(
    settings: Settings, tmp_path: Path
) -> None:
    sets = [
        labelled_zip(tmp_path / "set.zip", texts(12, seed=number)).read_bytes()
        for number in range(4)
    ]
    sets.insert(2, b"no zip" * 1000)
    limit = 2 * max(map(len, sets))
    changed = {"download_allow": "127.0.0.1", "max_cache_bytes": limit}
    app = create_app(settings.model_copy(update=changed))
    with TestClient(app) as api, serve({}) as web:
        for number, data in enumerate(sets):
            web.pages[f"/{number}"] = partial(answer, body=data)
            sent = api.post("/datasets", json={"url": f"{web.url}/{number}"})
            assert sent.status_code == (422 if number == 2 else 201)
            assert sum(file.stat().st_size for file in settings.cache.iterdir()) <= limit


def test_a_zip_that_cannot_be_got_from_the_web_is_refused_with_the_reason(
    api: TestClient, tmp_path: Path
) -> None:
    with serve({"/page": lambda handler: answer(handler, b"<html>")}) as web:
        problem(api.post("/datasets", json={"url": f"{web.url}/page"}), 422, "dataset_not_a_zip")
        problem(api.post("/datasets", json={"url": f"{web.url}/none"}), 422, "download_failed")
    inside = api.post("/datasets", json={"url": "http://127.0.0.2/set.zip"})
    problem(inside, 422, "download_refused")
    document = problem(api.post("/datasets", json={"url": "file:///etc"}), 422, "request_invalid")
    assert "url" in fields(document)
    assert api.get("/datasets").json() == {"data": [], "has_more": False}
