"""Full disks and volumes that cannot be written to: real mounts under real services."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.api.jobs import Job, Status
from shared.store.manifest import verify_files
from shared.store.store import ModelStore
from tests.support.jobs.killed_jobs import workers
from tests.support.labelled_images import write_zip
from tests.support.models import bundles
from tests.support.services import services
from tests.support.services.disks import filled, read_only, small_disk
from tests.support.services.services import free_port
from tests.support.services.workers import start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.files.disk_errors import storage_error
from trainer.schemas.job_request import DatasetRequest, Hyperparameters, JobRequest, Synthetic
from trainer.settings import Settings

ROOMS = (0, 1_000_000, 5_000_000, 9_000_000, 16_000_000)
"""Bytes that a run finds free in the state folder."""

GREEDY = """
import sys
from trainer.workers.job_process import execute

def run(claim, request, settings, observer):
    with open(settings.scratch / claim.job_id / "all.there.is", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

execute(sys.stdin.read(), run)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "models", state=tmp_path / "state", lease_seconds=5)


@pytest.fixture
def disk(settings: Settings) -> Iterator[Path]:
    """The state folder, on a disk of its own."""
    with small_disk(settings.state, 24) as folder:
        yield folder


@pytest.fixture
def store(disk: Path, settings: Settings) -> Iterator[JobStore]:
    database = Database(settings.jobs_database)
    yield JobStore(database, max_queued_jobs=100)
    database.close()


def over(store: JobStore, job_id: str) -> Job:
    wait_until(lambda: store.get(job_id).status.is_final, seconds=600)
    return store.get(job_id)


def problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["hint"]


def read(predictor: httpx.Client) -> dict[str, Any]:
    answer = predictor.post("/predict", files={"image": bundles.png("abc")})
    assert answer.status_code == 200, answer.text
    prediction: dict[str, Any] = answer.json()
    return prediction


def small_job(**metadata: str) -> JobRequest:
    drawn = Synthetic(images=60, width=64, height=32, min_length=1, max_length=2, characters="AHX")
    return JobRequest(
        dataset=DatasetRequest(synthetic=drawn),
        hyperparameters=Hyperparameters(epochs=2, batch_size=12, width=64),
        promote="always",
        metadata=metadata,
    )


def test_a_full_disk_refuses_uploads_and_jobs_until_there_is_room(
    disk: Path, tmp_path: Path
) -> None:
    form = {"file": write_zip(tmp_path / "x.zip", {"a.png": bytes(4_000_000)}).read_bytes()}
    with (
        services.trainer(tmp_path) as service,
        httpx.Client(base_url=service.url, timeout=60) as trainer,
    ):
        accepted = [trainer.post("/jobs").json()["id"]]
        refused = 0
        with filled(disk, room=1_000_000):
            problem(trainer.post("/datasets", files=form), 507, "disk_full")
            assert list((disk / "uploads").iterdir()) == []
        with filled(disk):
            while refused < 10:  # the log of the database has some room of its own
                answer = trainer.post("/jobs")
                if answer.status_code == 202:
                    accepted.append(answer.json()["id"])
                    continue
                problem(answer, 503, "database_unavailable")
                refused += 1
            assert trainer.get(f"/jobs/{accepted[-1]}").status_code == 200
        assert trainer.post("/datasets", files=form).status_code == 201
        accepted.append(trainer.post("/jobs").json()["id"])
        assert [trainer.get(f"/jobs/{job_id}").status_code for job_id in accepted] == [200] * len(
            accepted
        )
    print(f"full disk: {len(accepted)} accepted jobs, all there; {refused} refused with 503")


def test_a_run_that_fills_the_disk_of_its_database_fails_and_makes_room(
    store: JobStore, settings: Settings
) -> None:
    job_ids = [store.create(JobRequest()).id for _ in range(3)]
    worker = start_worker(settings, ["-c", GREEDY])
    try:
        errors = [over(store, job_id).error for job_id in job_ids]
    finally:
        worker.kill()
        worker.wait()
    assert [error and error.code for error in errors] == ["disk_full"] * 3
    print("a disk filled by the run itself: 3 of 3 jobs failed with disk_full")


def test_a_run_that_finds_no_room_fails_with_its_reason_and_the_next_one_succeeds(
    disk: Path, tmp_path: Path, settings: Settings
) -> None:
    elsewhere = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/jobs.sqlite"})
    database = Database(elsewhere.jobs_database)
    store = JobStore(database, max_queued_jobs=100)
    ends: Counter[str] = Counter()
    with workers(elsewhere, "real"):
        for room in ROOMS:
            job_id = store.create(small_job()).id
            with filled(disk, room):
                error = over(store, job_id).error
            ends[error.code if error else "succeeded"] += 1
            wait_until(lambda: not any(settings.scratch.iterdir()))
        assert over(store, store.create(small_job()).id).status is Status.SUCCEEDED
    database.close()
    assert set(ends) == {"disk_full", "succeeded"}
    print(f"{len(ROOMS)} runs on a full disk: {dict(ends)}")


def test_a_full_model_store_shows_no_half_version_and_goes_on_serving(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    with small_disk(tmp_path / "models", 4) as root:
        store = ModelStore(root, keep=3)
        bundles.publish(store, tmp_path / "1")
        size = sum(f.stat().st_size for f in (tmp_path / "1").rglob("*") if f.is_file())
        with (
            services.predictor(tmp_path) as service,
            httpx.Client(base_url=service.url, timeout=60) as predictor,
        ):
            for room in range(0, size + 200_000, 4096):
                outcomes[_publish(store, tmp_path / "1", room)] += 1
                for version in store.versions("default"):
                    verify_files(
                        store.folder("default", version), store.manifest("default", version).files
                    )
                current = store.current("default")
                assert current in store.versions("default")
                assert read(predictor)["text"] == "abc"
            wait_until(lambda: read(predictor)["version"] == store.current("default"))
    assert set(outcomes) == {"published", "disk_full"}
    print(f"model store full at {outcomes['disk_full']} places, then {outcomes['published']} fit")


def _publish(store: ModelStore, build: Path, room: int) -> str:
    with filled(store.root, room):
        try:
            bundles.publish(store, build)
        except OSError as error:
            known = storage_error(error)
            assert known is not None
            return known.code
    return "published"


def test_a_read_only_volume_is_named_and_what_is_served_stays(
    disk: Path, store: JobStore, settings: Settings, tmp_path: Path
) -> None:
    form = {"file": write_zip(tmp_path / "x.zip", {"a.png": b"a"}).read_bytes()}
    bundles.publish(ModelStore(settings.store), tmp_path / "build")
    with (
        services.trainer(tmp_path) as trainer_service,
        httpx.Client(base_url=trainer_service.url, timeout=60) as trainer,
        services.predictor(tmp_path) as predictor_service,
        httpx.Client(base_url=predictor_service.url, timeout=60) as predictor,
        workers(settings, "small") as running_workers,
    ):
        with read_only(disk):
            problem(trainer.post("/datasets", files=form), 503, "storage_unavailable")
        with read_only(Path(settings.store)):
            job = over(store, store.create(JobRequest()).id)
            assert job.error is not None and job.error.code == "storage_unavailable"
            assert trainer.get("/readyz").status_code == 503
            answer = trainer.post("/models/default/pattern", json={"pattern": "[a-c]+"})
            problem(answer, 503, "storage_unavailable")
            assert (read(predictor)["text"], read(predictor)["version"]) == ("abc", 1)
        assert over(store, store.create(JobRequest()).id).version == 2
        assert trainer.post("/datasets", files=form).status_code == 201
        assert running_workers[0].poll() is None
    print("read-only: refused with 503, the job failed with its reason, version 1 was served")


def test_a_service_on_a_read_only_volume_says_so_and_ends(
    disk: Path, settings: Settings, tmp_path: Path
) -> None:
    environment = os.environ | {
        "READSMITH_STATE": str(disk),
        "READSMITH_STORE": str(settings.store),
        "READSMITH_TRAINER_PORT": str(free_port()),
    }
    for module in ("trainer", "trainer.workers.worker"):
        with read_only(disk):
            done = subprocess.run(
                [sys.executable, "-m", module],
                env=environment,
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
            )
        assert done.returncode == 1
        assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
