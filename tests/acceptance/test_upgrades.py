"""What an earlier release left behind opens, migrates and serves.

tests/fixtures has a folder for each: state.tar.xz, which that release's own code wrote, facts.json,
what it said of it, and make.py, a record of how both were made. They are never made anew: data that
this program can no longer read needs a migration, not another fixture.
"""

import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi.testclient import TestClient
from flask.testing import FlaskClient
from pydantic import HttpUrl

from predictor.api.app import create_app as create_predictor
from predictor.feedback.image_archive import ImageArchive
from predictor.feedback.outbox import Outbox
from predictor.feedback.trainer_client import TrainerClient
from predictor.models.loading import load_version
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.store.manifest import verify_bundle
from shared.store.settings import StoreSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.object_storage import BUCKET, Proxy
from tests.support.services.workers import start_worker, wait_until
from trainer.api.app import create_app as create_trainer
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings
from trainer.workers.child import RUN_JOB

FIXTURES = ROOT / "tests" / "fixtures"
RELEASES = sorted(file.parent.name for file in FIXTURES.glob("*/state.tar.xz"))
MODEL = "plates"
ENDLESS = 1_000_000
"""Days; the archive deletes old images, and these grow old."""


@dataclass(frozen=True)
class Left:
    """The files of an earlier release, to be changed by one test, and what it said of them."""

    folder: Path
    facts: dict[str, Any]

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.folder / "models")

    @property
    def trainer_settings(self) -> Settings:
        return Settings(
            store=self.folder / "models",
            state=self.folder / "state",
            keys=self.folder / "none.json",
            predictor_url="http://127.0.0.1:1",  # where nobody answers
            allowed_hosts="testserver",
        )

    def predictor_settings(self, **settings: Any) -> PredictorSettings:
        chosen: dict[str, Any] = {
            "store": self.folder / "models",
            "default_model": MODEL,
            "image_archive": self.folder / "kept",
            "image_archive_days": ENDLESS,
            **settings,
        }
        return PredictorSettings(**chosen)

    def job_id(self, name: str) -> str:
        return str(self.facts["jobs"][name]["id"])

    def image(self, version: int, number: int = 1) -> bytes:
        """Return one of the test images that were stored with a version."""
        return (self.store.folder(MODEL, version) / f"golden/{number:04}.png").read_bytes()


@pytest.fixture(scope="module", params=RELEASES)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder, fixture = tmp_path_factory.mktemp(request.param), FIXTURES / request.param
    with tarfile.open(fixture / "state.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "trainer").rename(folder / "state")  # as tests.support.services.services calls it
    return Left(folder, json.loads((fixture / "facts.json").read_text()))


@pytest.fixture
def left(unpacked: Left, tmp_path: Path) -> Left:
    folder = tmp_path / "left"
    shutil.copytree(unpacked.folder, folder)
    return Left(folder, unpacked.facts)


@pytest.fixture
def api(left: Left) -> Iterator[TestClient]:
    with TestClient(create_trainer(left.trainer_settings)) as client:
        yield client


def predictor(settings: PredictorSettings) -> FlaskClient:
    """A client of a predictor that has looked at its models once."""
    registry = Registry(settings)
    registry.poll()
    archive = ImageArchive(settings) if settings.image_archive else None
    return create_predictor(settings, registry, None, archive).test_client()


def read(client: FlaskClient, image: bytes, **fields: str) -> tuple[str, int, str]:
    """Ask for a prediction; return model, version and text."""
    answer = client.post("/predict", data={"image": (io.BytesIO(image), "a.png"), **fields})
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    return body["model"], body["version"], body["text"]


def test_every_job_keeps_its_status_result_trials_and_events(left: Left, api: TestClient) -> None:
    listed = api.get("/jobs").json()["data"]
    assert [job["metadata"]["name"] for job in listed] == list(left.facts["jobs"])[::-1]
    for name, facts in left.facts["jobs"].items():
        job = api.get(f"/jobs/{facts['id']}").json()
        assert job["metadata"] == {"name": name}
        assert (job["status"], job["attempt"]) == (facts["status"], facts["attempt"])
        assert (job["model"], job["version"]) == (MODEL, facts["version"])
        assert (job["error"] or {}).get("code") == facts["error"]
        assert (job["metrics"] or {}).get("exact_match") == facts["exact_match"]
        trials = [[t["parameters"], t["status"], t["exact_match"]] for t in job["trials"] or []]
        assert trials == (facts["trials"] or [])
        events = api.get(f"/jobs/{facts['id']}/events").json()["data"]
        assert len(events) == facts["events"]
        assert [events[-1]["type"], events[-1]["message"]] == facts["last_event"]


def test_a_lost_job_is_claimed_again_then_the_queued_one_then_nothing(left: Left) -> None:
    database = Database(left.trainer_settings.jobs_database)
    queue = JobQueue(database, lease_seconds=30, max_attempts=3)
    claims = [queue.claim(), queue.claim(), queue.claim()]
    assert claims == [(left.job_id("running"), 2), (left.job_id("queued"), 1), None]
    database.close()


def test_an_idempotency_key_still_finds_its_job(left: Left, api: TestClient) -> None:
    request = api.get(f"/jobs/{left.job_id('queued')}").json()["request"]
    answer = api.post("/jobs", json=request, headers={"Idempotency-Key": "key-7"})
    assert (answer.status_code, answer.json()["id"]) == (202, left.job_id("queued"))


def test_uploads_and_corrections_are_here_with_their_files(left: Left, api: TestClient) -> None:
    upload = left.facts["upload"]
    stored = api.get(f"/datasets/{upload['id']}").json()
    assert (stored["sha256"], stored["bytes"]) == (upload["sha256"], upload["bytes"])
    answer = api.delete(f"/datasets/{upload['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "dataset_in_use")

    found = api.get(f"/models/{MODEL}/corrections").json()["data"]
    assert {one["sha256"]: one["text"] for one in found} == left.facts["corrections"]
    for one in found:
        assert (one["read"], one["confidence"], one["source"]) == ("A", 0.25, "dashboard")
        assert api.get(one["image"]).status_code == 200
    export = api.get(f"/models/{MODEL}/corrections.zip").content
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        files = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
    assert files > left.facts["corrections"].keys()


def test_a_worker_takes_up_the_lost_job_and_trains_it_by_the_new_rules(
    left: Left, api: TestClient
) -> None:
    path = f"/jobs/{left.job_id('running')}"
    worker = start_worker(left.trainer_settings, RUN_JOB)
    try:
        wait_until(lambda: api.get(path).json()["status"] not in ("queued", "running"), pause=0.2)
    finally:
        worker.terminate()
        worker.wait()
    job = api.get(path).json()
    assert (job["status"], job["attempt"], job["version"]) == ("succeeded", 2, 4)
    events = api.get(f"{path}/events").json()["data"]
    epochs = [event["data"]["epoch"] for event in events if event["type"] == "progress"]
    # Two before the upgrade; then from the start, because inputs are chosen otherwise now.
    assert epochs == [1, 2, 1, 2, 3, 4]
    assert left.store.versions(MODEL) == [1, 2, 3, 4]


def test_the_store_keeps_its_versions_their_order_and_the_pattern(left: Left) -> None:
    store = left.store
    assert store.models() == [MODEL]
    assert store.versions(MODEL) == [1, 2, 3]
    assert (store.current(MODEL), store.previous(MODEL)) == (2, 1)
    assert store.record(MODEL).given == 3
    assert store.settings(MODEL).pattern == "[AHX]{1,2}"
    for version, facts in left.facts["versions"].items():
        manifest = store.manifest(MODEL, int(version))
        assert (manifest.model, manifest.version) == (MODEL, int(version))
        assert (manifest.preset, manifest.base) == (facts["preset"], facts["base"])
        assert (manifest.job_id, manifest.origin) == (facts["job"], "trained")
        assert manifest.vocabulary == ("A", "H", "X")
        assert manifest.metrics is not None
        assert manifest.metrics.exact_match == facts["exact_match"]
        verify_bundle(store.folder(MODEL, int(version)), manifest.files)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_each_version_reads_its_test_images_as_it_did(left: Left, version: int) -> None:
    engine = load_version(left.store, MODEL, version, threads=1)
    golden = left.facts["versions"][str(version)]["golden"]
    folder = left.store.folder(MODEL, version)
    found = engine.predict([(folder / name).read_bytes() for name in golden])
    assert [one.text for one in found] == list(golden.values())


def test_the_store_is_rolled_back_promoted_and_published_into(left: Left, tmp_path: Path) -> None:
    store = left.store
    assert store.rollback(MODEL) == 1
    store.promote(MODEL, 3)
    assert (store.current(MODEL), store.previous(MODEL)) == (3, 1)
    store.promote(MODEL, 1)
    shutil.rmtree(store.folder(MODEL, 3))
    assert publish(store, tmp_path / "build", model=MODEL).version == 4  # 3 is used up
    assert store.versions(MODEL) == [1, 2, 4]
    assert (store.current(MODEL), store.previous(MODEL)) == (4, 1)


def test_the_trainer_shows_versions_reports_and_comparisons(api: TestClient) -> None:
    model = api.get(f"/models/{MODEL}").json()
    assert (model["current"], model["previous"], model["pattern"]) == (2, 1, "[AHX]{1,2}")
    assert [one["problem"] for one in model["versions"]] == [None] * 3
    assert [one["version"] for one in model["versions"]] == [1, 2, 3]
    report = api.get(f"/models/{MODEL}/versions/2/report").json()
    assert (report["test_images"], report["exact_match"]) == (4, 1.0)
    assert [epoch["epoch"] for epoch in report["history"]] == list(range(1, 71))
    compared = api.get(f"/models/{MODEL}/compare?a=1&b=2").json()
    assert (compared["both_correct"], compared["neither_correct"]) == (4, 0)
    assert [one["truth"] for one in compared["images"]] == ["AA", "X", "AH", "X"]


@pytest.mark.parametrize(("version", "preset"), [(1, "conv"), (2, "crnn")])
def test_a_version_is_a_base_to_train_from(left: Left, version: int, preset: str) -> None:
    from trainer.pipeline.training.base import load_base  # noqa: PLC0415 - imports TensorFlow

    base = load_base(
        JobRequest.model_validate({"model": MODEL, "preset": preset, "base": version}), left.store
    )
    assert base is not None
    assert base.vocabulary.characters == ("A", "H", "X")
    assert base.weights[list(base.weights)[-1]][-1].shape == (4,)  # three characters and the blank
    assert len(base.seen) == left.facts["versions"][str(version)]["seen"]
    assert len(base.rehearsal.labels) == 32
    assert set(base.rehearsal.labels) <= {f"{a}{b}" for a in "AHX" for b in ("", *"AHX")}


def test_the_predictor_answers_with_it_and_its_keys_open(left: Left) -> None:
    settings = left.predictor_settings(keys=left.folder / "keys" / "keys.json")
    client = predictor(settings)
    image = {"image": (io.BytesIO(left.image(2)), "a.png")}
    assert client.post("/predict", data=image).status_code == 401
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {left.facts['token']}"
    assert read(client, left.image(2)) == (MODEL, 2, "AA")
    assert read(client, left.image(1), version="1") == (MODEL, 1, "AA")


def test_the_image_archive_lists_what_nobody_looked_at(left: Left) -> None:
    client = predictor(left.predictor_settings())
    answered = left.facts["predictor"]
    review = client.get("/review").get_json()
    assert review["count"] == 1
    (one,) = review["data"]
    assert (one["request_id"], one["index"]) == (answered["request_id"], 1)
    assert (one["model"], one["version"]) == (MODEL, 2)
    assert (one["text"], one["confidence"]) == ("X", answered["results"][1]["confidence"])
    assert read(client, client.get(one["image"]).data)[2] == "X"
    assert client.delete(one["image"]).status_code == 204
    assert client.get(one["image"]).status_code == 404


def test_what_waits_in_the_outbox_reaches_the_trainer(left: Left) -> None:
    with services.trainer(left.folder) as trainer:
        url = f"{trainer.url}/models/{MODEL}/corrections"
        outbox = left.folder / "outbox"
        settings = left.predictor_settings(outbox=outbox, trainer_url=HttpUrl(trainer.url))
        for _ in range(2):  # once delivered it is gone
            Outbox(outbox, TrainerClient(settings)).deliver()
            found = requests.get(url, timeout=60).json()["data"]
            assert [one["text"] for one in found] == ["HA", "H", "AX"]
        image = requests.get(f"{trainer.url}{found[0]['image']}", timeout=60)
    prediction = left.facts["predictor"]["results"][0]
    assert (found[0]["read"], found[0]["version"]) == (prediction["text"], 2)
    assert (found[0]["confidence"], found[0]["source"]) == (prediction["confidence"], "feedback")
    assert image.status_code == 200


def test_a_bucket_serves_is_rolled_back_and_published_into(
    left: Left, storage: Proxy, tmp_path: Path
) -> None:
    objects = left.folder / "bucket"
    for file in (path for path in objects.rglob("*") if path.is_file()):
        url = f"{storage.url}/{BUCKET}/{file.relative_to(objects).as_posix()}"
        requests.put(url, file.read_bytes(), timeout=60).raise_for_status()
    address = f"s3://{BUCKET}/models"
    store = StoreSettings(store=address, store_cache=tmp_path / "trainer").model_store()
    assert store.models() == ["codes", MODEL]
    assert (store.versions("codes"), store.current("codes")) == ([1], 1)
    assert store.versions(MODEL) == [1, 2, 3]
    assert (store.current(MODEL), store.previous(MODEL)) == (2, 1)
    assert store.record(MODEL).given == 3
    assert store.settings(MODEL).pattern == "[AHX]{1,2}"

    served = left.predictor_settings(store=address, store_cache=tmp_path / "predictor")
    client = predictor(served)
    assert read(client, left.image(2)) == (MODEL, 2, "AA")
    assert read(client, left.image(1), model="codes") == ("codes", 1, "AA")

    assert store.rollback(MODEL) == 1
    store.promote(MODEL, 3)
    assert publish(store, tmp_path / "build", model=MODEL).version == 4
    assert publish(store, tmp_path / "build2", model="codes").version == 2
    assert (store.current(MODEL), store.previous(MODEL)) == (4, 3)
