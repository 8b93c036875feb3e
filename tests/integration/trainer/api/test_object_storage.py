"""The trainer with its models and files on real S3-compatible servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from fastapi.testclient import TestClient

from shared.store import object_store
from shared.store.store import ModelStore
from tests.support.labelled_images import write_zip
from tests.support.models.bundles import png, publish
from tests.support.services.object_storage import BUCKET, Proxy, empty
from trainer.api.app import create_app
from trainer.settings import Settings


@pytest.fixture
def remote(settings: Settings, storage: Proxy, tmp_path: Path) -> Settings:
    changes = {
        "store": f"s3://{BUCKET}/models",
        "store_cache": tmp_path / "cache",
        "shared_files": f"s3://{BUCKET}/files",
        "max_upload_bytes": 50_000,
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def api(remote: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(remote), raise_server_exceptions=False) as client:
        yield client


def test_uploads_lie_there_and_another_trainer_sees_them(
    api: TestClient, remote: Settings, tmp_path: Path
) -> None:
    data = write_zip(tmp_path / "x.zip", {"abc.png": png("abc")}).read_bytes()
    upload = api.post("/datasets", files={"file": data}).json()
    assert list(remote.uploads.iterdir()) == []

    elsewhere = remote.model_copy(
        update={"state": tmp_path / "elsewhere", "database_url": remote.jobs_database}
    )
    with TestClient(create_app(elsewhere)) as other:
        assert [one["id"] for one in other.get("/datasets").json()["data"]] == [upload["id"]]
        address = f"/datasets/{upload['id']}"
        image = other.get(f"{address}/images", params={"file": "abc.png"})
        assert image.headers["content-type"] == "image/png"
        assert other.delete(address).status_code == 204
    assert api.get("/datasets").json()["data"] == []

    too_large = api.post("/datasets", files={"file": data + bytes(60_000)})
    assert too_large.json()["code"] == "upload_too_large"


def test_corrections_images_lie_there(api: TestClient, remote: Settings) -> None:
    form = {"image": ("a.png", png("abc"))}
    sent = api.post("/models/plates/corrections", files=form, data={"text": "abc"}).json()
    assert api.get("/models/plates/corrections.zip").content.count(b"labels.csv") == 2
    assert api.get(sent["image"]).status_code == 200
    assert not (remote.state / "corrections").exists()


def test_models_are_shown_and_changed_there_and_a_storage_that_is_away_is_said_to_be(
    api: TestClient, remote: Settings, storage: Proxy, tmp_path: Path
) -> None:
    store: ModelStore = remote.model_store()
    for number in (1, 2):
        publish(store, tmp_path / str(number))
    assert api.get("/models").json()["data"][0]["current"] == 2
    assert api.post("/models/default/rollback").json()["current"] == 1
    assert api.post("/models/default/promote", json={"version": 2}).json()["current"] == 2
    graph = api.get("/models/default/versions/1/files/prediction_model.onnx")
    assert graph.content == (tmp_path / "1" / "prediction_model.onnx").read_bytes()
    storage.fail("503")
    for method, path in (("GET", "/models"), ("POST", "/models/default/rollback")):
        answer = api.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    storage.work()
    assert api.get("/models").status_code == 200


def test_a_bucket_that_is_emptied_or_deleted_is_told_by_readyz(
    api: TestClient,
    remote: Settings,
    storage_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_store, "CHECK_SECONDS", -1.0)
    assert api.get("/readyz").status_code == 200
    publish(remote.model_store(), tmp_path / "1")
    assert api.get("/readyz").status_code == 200
    empty(storage_server)
    emptied = api.get("/readyz")
    assert (emptied.status_code, emptied.json()["ready"]) == (503, False)
    assert "none of the models that were there" in emptied.json()["store"]
    requests.delete(f"{storage_server}/{BUCKET}", timeout=60).raise_for_status()
    deleted = api.get("/readyz")
    assert (deleted.status_code, "no bucket" in deleted.json()["store"]) == (503, True)
