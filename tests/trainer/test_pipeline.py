"""The whole run on a small drawn set, once per module; what it leaves is then looked at."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from shared.decoding import decode
from shared.errors import ReadsmithError
from shared.manifest import KERAS_MODEL, ONNX_MODEL, Manifest, verify_files
from shared.model_store import ModelStore
from shared.preprocessing import preprocess
from tests.drawn import labelled_zip, texts
from tests.observing import Recorder
from trainer.keras_files import write_models
from trainer.pipeline import RunContext, run
from trainer.progress import CancelledRunError, RunResult, Stage
from trainer.requests import Hyperparameters, JobRequest

QUICK = JobRequest(model="quick", hyperparameters=Hyperparameters(epochs=25, height=32, width=64))


@dataclass
class Finished:
    """A run that went well."""

    result: RunResult
    recorder: Recorder
    store: ModelStore
    dataset: Path

    @property
    def folder(self) -> Path:
        return self.store.folder(self.result.model, self.result.version)

    @property
    def manifest(self) -> Manifest:
        return self.store.manifest(self.result.model, self.result.version)


def context(folder: Path, dataset: Path, job_id: str = "job-1") -> RunContext:
    return RunContext(
        job_id=job_id,
        attempt=1,
        work=folder / "work",
        cache=folder / "cache",
        uploads=folder / "uploads",
        store=ModelStore(folder / "models"),
        may_publish=lambda: None,
        local=dataset,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("run")
    dataset = labelled_zip(folder / "set.zip", texts(160))
    recorder = Recorder()
    result = run(QUICK, context(folder, dataset), recorder)
    return Finished(result, recorder, ModelStore(folder / "models"), dataset)


def test_the_stages_follow_each_other_and_every_epoch_is_told(finished: Finished) -> None:
    assert finished.recorder.stages == list(Stage)
    assert [progress.epoch for progress in finished.recorder.epochs] == list(range(1, 26))
    assert finished.recorder.epochs[-1].seconds_left == 0


def test_it_learns_to_read_and_says_how_well(finished: Finished) -> None:
    metrics = finished.result.metrics
    (summary,) = finished.recorder.summaries
    assert (metrics.validation_images, metrics.test_images) == (16, 16)
    assert metrics.train_images == summary["images"] - 32
    assert metrics.exact_match > 0.5
    low, high = metrics.exact_match_interval
    assert 0 <= low <= metrics.exact_match <= high <= 1
    report = json.loads((finished.folder / "report" / "metrics.json").read_text())
    assert report["exact_match"] == metrics.exact_match
    assert len(report["wrong"]) == round(16 * (1 - metrics.exact_match))


def test_the_bundle_is_whole_and_current(finished: Finished) -> None:
    verify_files(finished.folder, finished.manifest.files)
    assert finished.store.current("quick") == finished.result.version == 1
    assert len(list((finished.folder / "golden").glob("*.png"))) == 8
    assert finished.manifest.vocabulary == ("A", "H", "X")
    assert finished.manifest.parameters["epochs"] == 25


def test_both_files_read_the_golden_pictures_as_the_trainer_did(finished: Finished) -> None:
    manifest = finished.manifest
    golden = json.loads((finished.folder / "golden" / "readings.json").read_text())
    inputs = np.stack(
        [preprocess((finished.folder / g["file"]).read_bytes(), manifest.image) for g in golden]
    )
    model = keras.models.load_model(finished.folder / KERAS_MODEL, compile=False)
    assert not any("CTC" in type(layer).__name__ for layer in model.layers)
    session = onnxruntime.InferenceSession(finished.folder / ONNX_MODEL)
    for output in (
        model.predict(inputs, verbose=0),
        session.run(None, {session.get_inputs()[0].name: inputs})[0],
    ):
        assert output.shape[1:] == (manifest.time_steps, len(manifest.vocabulary) + 1)
        readings = decode(output, manifest.reader_vocabulary())
        assert [r.text for r in readings] == [g["text"] for g in golden]
        assert [r.confidence for r in readings] == pytest.approx(
            [g["confidence"] for g in golden], abs=1e-3
        )


def test_the_same_seed_gives_the_same_model(finished: Finished, tmp_path: Path) -> None:
    again = run(QUICK, context(tmp_path, finished.dataset), Recorder())
    timed = {"train_seconds", "images_per_second"}
    assert again.metrics.model_dump(exclude=timed) == finished.result.metrics.model_dump(
        exclude=timed
    )


def test_a_run_killed_in_mid_training_ends_with_the_same_readings(
    finished: Finished, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.observing import Recorder\n"
        "from tests.trainer.test_pipeline import QUICK, context, run\n"
        "run(QUICK, context(Path(sys.argv[1]), Path(sys.argv[2])), Recorder())\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(finished.dataset)])
    deadline = time.monotonic() + 300
    while not (tmp_path / "work" / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    recorder = Recorder()
    resumed = run(QUICK, context(tmp_path, finished.dataset), recorder)
    assert [kind for kind, _ in recorder.events] == ["resumed"]
    assert 0 < len(recorder.epochs) < 25
    assert resumed.metrics.cer == finished.result.metrics.cer
    name = "report/test_readings.csv"
    again = ModelStore(tmp_path / "models").folder("quick", 1) / name
    assert again.read_text() == (finished.folder / name).read_text()


def test_a_repeated_attempt_of_a_job_publishes_nothing_twice(finished: Finished) -> None:
    folder = finished.store.root.parent
    run(QUICK, context(folder, finished.dataset), Recorder())
    assert finished.store.versions("quick") == [1]


def test_a_later_version_starts_from_its_base_also_with_new_characters(
    finished: Finished, tmp_path: Path
) -> None:
    folder = finished.store.root.parent
    dataset = labelled_zip(tmp_path / "more.zip", texts(160, characters="AHXO", seed=1))
    request = QUICK.model_copy(update={"base": 1, "hyperparameters": Hyperparameters(epochs=8)})
    result = run(request, context(folder, dataset, "job-2"), Recorder())
    manifest = finished.store.manifest("quick", result.version)
    assert manifest.vocabulary == ("A", "H", "X", "O")
    assert manifest.base == "quick/1"
    assert result.metrics.exact_match > 0.5


def test_a_cancelled_run_publishes_nothing(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(CancelledRunError):
        run(QUICK, context(tmp_path, finished.dataset), Recorder(cancel_after=3))
    assert ModelStore(tmp_path / "models").models() == []


def test_a_model_that_reads_nothing_is_not_published(tmp_path: Path) -> None:
    labels = texts(60)
    dataset = labelled_zip(tmp_path / "set.zip", ["".join(reversed(labels[-i])) for i in range(60)])
    hopeless = QUICK.model_copy(update={"hyperparameters": Hyperparameters(epochs=1)})
    with pytest.raises(ReadsmithError) as caught:
        run(hopeless, context(tmp_path, dataset), Recorder())
    assert caught.value.code == "did_not_learn"
    assert ModelStore(tmp_path / "models").models() == []


def test_a_file_that_reads_otherwise_than_training_measured_is_not_published(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another_model(model: keras.Model, build: Path) -> None:
        weights = model.get_weights()
        model.set_weights([*weights[:-1], np.roll(weights[-1] + np.arange(4) * 9, 1)])
        write_models(model, build)

    monkeypatch.setattr("trainer.stages.export.write_models", write_another_model)
    with pytest.raises(ReadsmithError) as caught:
        run(QUICK, context(tmp_path, finished.dataset), Recorder())
    assert caught.value.code == "readings_differ"
    assert ModelStore(tmp_path / "models").models() == []
