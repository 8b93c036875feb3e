"""The whole run on a small drawn set, once per module; what it leaves is then looked at."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from shared.api.jobs import Stage
from shared.errors import ReadsmithError
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import preprocess
from shared.store.manifest import KERAS_MODEL, ONNX_MODEL, Manifest, verify_files
from shared.store.store import ModelStore
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import QUICK, context
from tests.support.labelled_images import SIZE, labelled_zip, texts
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.evaluation.evaluate import evaluate
from trainer.pipeline.networks.keras_files import write_models
from trainer.pipeline.run import run
from trainer.pipeline.training.results import Parameters, Trained, Validation
from trainer.schemas.job_request import DatasetRequest, Hyperparameters, JobRequest
from trainer.schemas.progress import CancelledRunError, RunResult
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver, run_pipeline


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
    assert (metrics.validation_images, metrics.test_images) == (18, 17)
    assert metrics.train_images == summary["images"] - 35
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
    assert finished.manifest.image_sizes is not None
    assert finished.manifest.proposed_pattern == "[AHX]{1,2}"
    assert finished.manifest.parameters["epochs"] == 25


def test_the_report_tells_what_is_read_wrong(finished: Finished) -> None:
    report = finished.folder / "report"
    metrics = json.loads((report / "metrics.json").read_text())
    assert sum(length["images"] for length in metrics["by_length"].values()) == 17
    assert set(metrics["by_character"]) <= set("AHX")
    with (report / "worst" / "worst.csv").open() as file:
        worst = list(csv.DictReader(file))
    assert [row["file"] for row in worst] == [wrong["file"] for wrong in metrics["wrong"]]
    confidences = [float(row["confidence"]) for row in worst]
    assert confidences == sorted(confidences, reverse=True)
    for row in worst:
        with Image.open(report / "worst" / row["image"]) as image:
            assert image.size == SIZE
    assert (report / "learning_curves.png").stat().st_size > 5000
    with Image.open(report / "inputs.png") as inputs:
        assert inputs.size == (4 * 64 + 3 * 4, 4 * 32 + 3 * 4)
    assert len(list((report / "tensorboard").iterdir())) == 1


def test_confidences_are_calibrated_and_the_result_says_so(finished: Finished) -> None:
    calibration = finished.result.calibration
    assert finished.manifest.calibration == calibration
    assert (calibration.validation.images, calibration.test.images) == (18, 17)
    assert calibration.thresholds[0].images == 35
    with (finished.folder / "report" / "test_predictions.csv").open() as file:
        confidences = [float(row["confidence"]) for row in csv.DictReader(file)]
    assert np.mean(confidences) == pytest.approx(finished.result.metrics.mean_confidence)


def test_a_wrong_label_is_suspected(finished: Finished) -> None:
    dataset = load_dataset(finished.dataset, QUICK)
    wrong = next(image for image in dataset.train if image.label == "AH")
    images = ImageTable(
        image._replace(label="XX") if image == wrong else image
        for image in dataset.train + dataset.validation
    )
    count = len(dataset.train)
    changed = replace(dataset, train=images[:count], validation=images[count:])
    evaluation = evaluate(again(finished), changed, Recorder())
    suspects = {suspect.file: suspect for suspect in evaluation.suspects}
    assert (suspects[wrong.name].truth, suspects[wrong.name].text) == ("XX", "AH")
    assert evaluation.metrics.exact_match == finished.result.metrics.exact_match
    confidences = [suspect.confidence for suspect in evaluation.suspects]
    assert confidences == sorted(confidences, reverse=True)


def again(finished: Finished) -> Trained:
    """Return what training handed on, with the published model."""
    metrics = finished.manifest.metrics
    assert metrics is not None
    return Trained(
        model=keras.models.load_model(finished.folder / KERAS_MODEL, compile=False),
        time_steps=finished.manifest.time_steps,
        base=finished.manifest.base,
        parameters=Parameters(**finished.result.parameters),
        validation=Validation(metrics.validation_exact_match, loss=0.0, cer=0.0, all_empty=False),
        seconds=metrics.train_seconds,
        epochs=metrics.epochs,
        images_per_second=metrics.images_per_second,
        seconds_to=finished.result.seconds_to,
        history=finished.recorder.epochs,
    )


def test_both_files_read_the_golden_images_as_the_trainer_did(finished: Finished) -> None:
    manifest = finished.manifest
    golden = json.loads((finished.folder / "golden" / "predictions.json").read_text())
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
        predictions = decode(output, manifest.model_vocabulary(), manifest.temperature)
        assert [r.text for r in predictions] == [g["text"] for g in golden]
        assert [r.confidence for r in predictions] == pytest.approx(
            [g["confidence"] for g in golden], abs=1e-3
        )


def test_the_same_seed_gives_the_same_model(finished: Finished, tmp_path: Path) -> None:
    again = run(QUICK, context(tmp_path, finished.dataset), Recorder())
    timed = {"train_seconds", "images_per_second"}
    assert again.metrics.model_dump(exclude=timed) == finished.result.metrics.model_dump(
        exclude=timed
    )


def test_a_run_killed_in_mid_training_ends_with_the_same_predictions(
    finished: Finished, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.support.jobs.observer import Recorder\n"
        "from tests.support.jobs.runs import QUICK, context; from trainer.pipeline.run import run\n"
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
    assert [kind for kind, _ in recorder.events] == ["resumed", "promotion"]
    assert 0 < len(recorder.epochs) < 25
    assert resumed.metrics.cer == finished.result.metrics.cer
    name = "report/test_predictions.csv"
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
    changes = {"base": 1, "hyperparameters": Hyperparameters(epochs=8), "promote": "never"}
    request = QUICK.model_copy(update=changes)
    result = run(request, context(folder, dataset, "job-2"), Recorder())
    manifest = finished.store.manifest("quick", result.version)
    assert manifest.vocabulary == ("A", "H", "X", "O")
    assert manifest.base == "quick/1"
    assert result.metrics.exact_match > 0.5
    assert manifest.comparison == result.comparison is not None
    assert (result.comparison.version, result.comparison.images) == (1, result.metrics.test_images)
    assert not result.promoted
    assert finished.store.current("quick") == 1


def test_a_cancelled_run_publishes_nothing(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(CancelledRunError):
        run(QUICK, context(tmp_path, finished.dataset), Recorder(cancel_after=3))
    assert ModelStore(tmp_path / "models").models() == []


def test_a_model_that_reads_nothing_is_not_published(tmp_path: Path) -> None:
    labels = [f"{text}HXA" for text in texts(60)]  # too long to be read by chance
    dataset = labelled_zip(tmp_path / "set.zip", labels)
    hopeless = QUICK.model_copy(
        update={"hyperparameters": Hyperparameters(epochs=1), "base": "none"}
    )
    recorder = Recorder()
    with pytest.raises(ReadsmithError) as caught:
        run(hopeless, context(tmp_path, dataset), recorder)
    assert caught.value.code == "did_not_learn"
    assert "3 starts" in caught.value.message
    assert [kind for kind, _ in recorder.events] == ["start", "settings", "restart", "restart"]
    assert ModelStore(tmp_path / "models").models() == []
    second, third = recorder.epochs[1:]
    of_the_third_try = third.seconds - second.seconds
    assert third.images_per_second * of_the_third_try == pytest.approx(48)


def test_a_run_that_has_learned_nothing_when_the_time_is_over_does_not_begin_again(
    tmp_path: Path,
) -> None:
    labels = [f"{text}HXA" for text in texts(60)]
    dataset = labelled_zip(tmp_path / "set.zip", labels)
    short = Hyperparameters(max_minutes=0.0001)
    recorder = Recorder()
    with pytest.raises(ReadsmithError, match="until the time limit") as caught:
        run(
            QUICK.model_copy(update={"hyperparameters": short, "base": "none"}),
            context(tmp_path, dataset),
            recorder,
        )
    assert "character error rate" in caught.value.message
    assert [kind for kind, _ in recorder.events] == ["start", "settings"]


def test_a_file_that_reads_otherwise_than_training_measured_is_not_published(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another_model(model: keras.Model, build: Path) -> None:
        weights = model.get_weights()
        model.set_weights([*weights[:-1], np.roll(weights[-1] + np.arange(4) * 9, 1)])
        write_models(model, build)

    monkeypatch.setattr("trainer.pipeline.publishing.export.write_models", write_another_model)
    with pytest.raises(ReadsmithError) as caught:
        run(QUICK, context(tmp_path, finished.dataset), Recorder())
    assert caught.value.code == "predictions_differ"
    assert ModelStore(tmp_path / "models").models() == []


def test_a_job_over_http_downloads_from_public_servers_only(
    settings: Settings, store: JobStore, queue: JobQueue
) -> None:
    request = JobRequest(dataset=DatasetRequest(url="http://127.0.0.1:1/set.zip"))
    store.create(request)
    claim = queue.claim()
    assert claim is not None
    with pytest.raises(ReadsmithError) as caught:
        run_pipeline(claim, request, settings, JobObserver(queue, claim))
    assert caught.value.code == "download_refused"
