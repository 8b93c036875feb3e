"""The whole pipeline, TensorFlow included, under kills, cancels and shutdowns."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from shared.api.jobs import Status
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import preprocess
from shared.store.manifest import GOLDEN_PREDICTIONS, ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.jobs.kill_points import fallen
from tests.support.jobs.killed_jobs import (
    epochs_told,
    events,
    require_right_end,
    until_over,
    workers,
)
from tests.support.services.services import free_port
from tests.support.services.workers import alive_in_session, is_alive, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import DatasetRequest, Hyperparameters, JobRequest, Synthetic
from trainer.settings import Settings

PLACES = (
    "download",
    "dataset",
    "epoch",
    "checkpoint",
    "h5",
    "onnx",
    "files",
    "manifest",
    "published",
    "commit",
)
JOBS = 5
"""Each is struck once at every place."""
HANGS = ("dataset", "epoch", "evaluate", "onnx")
"""A place in each stage but the first, whose network is cancelled in a test of its own."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        store=tmp_path / "models",
        state=tmp_path / "state",
        lease_seconds=5,
        max_attempts=50,
        retained_versions=50,
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    database = Database(settings.jobs_database)
    yield JobStore(database, max_queued_jobs=100)
    database.close()


def post(
    store: JobStore, strikes: str = "", seed: int = 0, images: int = 60, url: str | None = None
) -> str:
    """Queue a job that trains a few epochs on small drawn images, or on what a URL gives."""
    drawn = Synthetic(
        images=images, width=64, height=32, min_length=1, max_length=2, characters="AHX", seed=seed
    )
    request = JobRequest(
        dataset=DatasetRequest(url=url) if url else DatasetRequest(synthetic=drawn),
        hyperparameters=Hyperparameters(epochs=6, batch_size=12, width=64),
        promote="always",
        metadata={"strikes": strikes},
    )
    return store.create(request).id


def test_fifty_kills_end_right(store: JobStore, settings: Settings) -> None:
    jobs = {}
    for seed in range(JOBS):
        victims = [("child", "worker")[(seed + place) % 2] for place in range(len(PLACES))]
        strikes = ", ".join(f"{p} kills {v}" for p, v in zip(PLACES, victims, strict=True))
        jobs[post(store, strikes, seed)] = strikes
    with workers(settings, "real", 2) as running:
        until_over(store, list(jobs), settings, "real", running)
    for job_id, strikes in jobs.items():
        require_right_end(store, settings, job_id, strikes)
    models = ModelStore(settings.store)
    assert len(models.versions("default")) == JOBS
    for version in models.versions("default"):
        require_golden_predictions(models.folder("default", version), models, version)
    kills = sum(len(fallen(settings, job_id)) for job_id in jobs)
    trained = [epochs_told(store, job_id) for job_id in jobs]
    repeated = sum(len(epochs) - len(set(epochs)) for epochs in trained)
    print(f"{kills} of {kills} kills ended right; {JOBS} versions of {JOBS} jobs; ", end="")
    print(f"{repeated} epochs were told twice")
    assert kills == JOBS * len(PLACES)


def require_golden_predictions(folder: Path, models: ModelStore, version: int) -> None:
    """The ONNX file of a bundle reads its golden images as the trainer did."""
    manifest = models.manifest("default", version)
    golden = json.loads((folder / GOLDEN_PREDICTIONS).read_text())
    inputs = [preprocess((folder / each["file"]).read_bytes(), manifest.image) for each in golden]
    session = onnxruntime.InferenceSession(folder / ONNX_MODEL)
    (output,) = session.run(None, {session.get_inputs()[0].name: np.stack(inputs)})
    predictions = decode(output, manifest.model_vocabulary(), manifest.temperature)
    assert [prediction.text for prediction in predictions] == [each["text"] for each in golden]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the temporary files of the worker and all below it."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def cancel(store: JobStore, settings: Settings, job_id: str) -> float:
    """Cancel a running job; return the seconds until its scratch folder was gone, too."""
    started = time.monotonic()
    store.cancel(job_id)
    wait_until(lambda: store.get(job_id).status is Status.CANCELLED)
    wait_until(lambda: not (settings.scratch / job_id).exists())
    return time.monotonic() - started


def require_nothing_left(settings: Settings, temporary: Path) -> None:
    """No version, half or whole, no half download, no temporary file."""
    left = [*Path(settings.store).rglob("*"), *settings.state.rglob("*.part"), *temporary.iterdir()]
    assert not left


@pytest.mark.parametrize("place", HANGS)
def test_a_job_is_cancelled_within_10_s_in_every_stage_though_its_child_does_not_listen(
    store: JobStore, settings: Settings, place: str, temporary: Path
) -> None:
    job_id = post(store, f"{place} hangs")
    with workers(settings, "real"):
        wait_until(lambda: fallen(settings, job_id))
        stage = store.get(job_id).stage
        seconds = cancel(store, settings, job_id)
    ((_, child),) = fallen(settings, job_id)
    assert not alive_in_session(child)
    require_nothing_left(settings, temporary)
    print(f"cancelled in stage {stage} after {seconds:.1f} s, the child not listening")
    assert seconds < 10


@pytest.mark.parametrize("what", ["silent server", "drawing"])
def test_a_download_is_cancelled_within_10_s(
    store: JobStore, settings: Settings, temporary: Path, what: str
) -> None:
    settings = settings.model_copy(update={"download_allow": "127.0.0.1"})
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/set.zip"
        job_id = post(store, url=url if what == "silent server" else None, images=100_000)
        with workers(settings, "real"):
            wait_until(lambda: store.get(job_id).stage == "download")
            seconds = cancel(store, settings, job_id)
    require_nothing_left(settings, temporary)
    print(f"cancelled in stage download ({what}) after {seconds:.1f} s")
    assert seconds < 10


@pytest.mark.parametrize("how", ["terminates worker", "hangs and terminates worker"])
def test_a_worker_told_to_stop_is_gone_within_20_s_and_its_job_goes_on_elsewhere(
    store: JobStore, settings: Settings, how: str
) -> None:
    strikes = f"epoch {how}"
    job_id = post(store, strikes)
    with workers(settings, "real") as (worker,):
        wait_until(lambda: fallen(settings, job_id))
        started = time.monotonic()
        assert worker.wait(60) == 0
        seconds = time.monotonic() - started
        assert store.get(job_id).status is Status.QUEUED
        ((_, child),) = fallen(settings, job_id)
        assert not alive_in_session(child)
    with workers(settings, "real") as running:
        until_over(store, [job_id], settings, "real", running)
    require_right_end(store, settings, job_id, strikes)
    assert any(event.type == "resumed" for event in events(store, job_id))
    print(f"the worker was gone after {seconds:.1f} s ({how})")
    assert seconds < 20


def test_a_lost_worker_is_noticed_within_60_s_by_default(
    store: JobStore, settings: Settings
) -> None:
    settings = Settings(store=settings.store, state=settings.state)
    job_id = post(store, "start stops both")
    with workers(settings, "small") as (late,):
        wait_until(lambda: fallen(settings, job_id))
        started = time.monotonic()
        with workers(settings, "small"):
            wait_until(lambda: store.get(job_id).attempt == 2)
            seconds = time.monotonic() - started
            wait_until(lambda: store.get(job_id).status is Status.SUCCEEDED)
            _, late_child = fallen(settings, job_id)[0]
            for pid in (late.pid, late_child):
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: not is_alive(late_child))
    require_right_end(store, settings, job_id, "start stops both")
    print(f"a stopped worker's job was taken up by another after {seconds:.1f} s")
    assert seconds < 60


def test_readsmith_up_hands_its_job_back_when_it_is_stopped(
    store: JobStore, settings: Settings, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "readsmith", "up", "--state", str(settings.state)]
    command += ["--store", str(settings.store)]
    command += ["--trainer-port", str(free_port()), "--predictor-port", str(free_port())]
    job_id = post(store)
    with subprocess.Popen(command, cwd=tmp_path) as up:
        wait_until(lambda: epochs_told(store, job_id))
        started = time.monotonic()
        up.terminate()
        assert up.wait(60) is not None
        seconds = time.monotonic() - started
    assert store.get(job_id).status is Status.QUEUED
    told = [event.message for event in events(store, job_id)]
    assert told[-1] == "The worker was stopped; queued again."
    print(f"readsmith up was gone after {seconds:.1f} s, its job queued again")
    assert seconds < 20
