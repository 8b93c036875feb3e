"""From photographs to a served model: the whole run on a small drawn set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from predictor.models.engine import Engine
from predictor.models.loading import load_bundle
from shared.errors import NotLearnedError
from shared.recognition.lines.corners import overlap
from shared.store.manifest import DETECTOR_KERAS, DETECTOR_ONNX, Manifest, verify_files
from shared.store.store import ModelStore
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import QUICK, context
from tests.support.models.detectors import photograph_file
from tests.support.photographs import photographs_zip, place_of_line
from trainer.pipeline.detection import learn
from trainer.pipeline.networks.keras_files import load_keras
from trainer.pipeline.run import run

TEXTS = ["ab", "cab", "abc", "ca", "bc", "cbca", "aa", "bb"] * 20


@dataclass
class Finished:
    """A run that went well."""

    recorder: Recorder
    manifest: Manifest
    folder: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("run")
    dataset = photographs_zip(folder / "set.zip", TEXTS, (320, 240))
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learn, "STEPS", 160)
        patch.setattr(learn, "BATCH", 8)
        result = run(QUICK, context(folder, dataset), recorder)
    store = ModelStore(folder / "models")
    manifest = store.manifest(result.model, result.version)
    return Finished(recorder, manifest, store.folder(result.model, result.version))


@pytest.fixture(scope="module")
def engine(finished: Finished) -> Engine:
    """The engine of the version; loading it predicts the golden photographs."""
    return load_bundle(finished.folder, finished.manifest, threads=1)


def test_the_bundle_holds_the_detector_and_says_so(finished: Finished) -> None:
    manifest = finished.manifest
    verify_files(finished.folder, manifest.files)
    assert {DETECTOR_KERAS, DETECTOR_ONNX} <= manifest.files.keys()
    assert manifest.requires == ("detector",)
    assert manifest.image_sizes is not None
    assert manifest.image_sizes.widths == (320, 320)


def test_detection_is_measured_apart_from_recognition(finished: Finished) -> None:
    detection, metrics = finished.manifest.detection, finished.manifest.metrics
    assert detection is not None and metrics is not None
    assert detection.images == detection.lines == metrics.test_images
    assert detection.found > 0.5
    assert 0 < detection.overlap < 1
    assert detection.line_exact_match >= 0.5
    said = [message for kind, message in finished.recorder.events if kind == "detection"]
    assert len(said) == 1
    assert f"of {detection.lines} lines of the test part" in said[0]


def test_the_served_model_finds_the_lines_of_new_photographs(engine: Engine) -> None:
    places = [place_of_line(seed) for seed in range(500, 520)]
    predictions = engine.predict([photograph_file("abc", place) for place in places])
    overlaps = [
        overlap(one.corners, place) if one.corners else 0.0
        for one, place in zip(predictions, places, strict=True)
    ]
    assert np.median(overlaps) > 0.6
    assert all(one.text == "" for one in predictions if one.corners is None)


def test_both_files_of_the_detector_are_one_network(finished: Finished) -> None:
    views = np.random.default_rng(0).standard_normal((2, 192, 192, 3), np.float32)
    session = onnxruntime.InferenceSession(finished.folder / DETECTOR_ONNX)
    (found,) = session.run(None, {session.get_inputs()[0].name: views})
    keras_model = load_keras(finished.folder / DETECTOR_KERAS)
    assert found == pytest.approx(keras_model.predict_on_batch(views), abs=1e-3)


def test_a_detector_that_finds_hardly_any_line_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "STEPS", 1)
    dataset = photographs_zip(tmp_path / "set.zip", TEXTS[:40], (320, 240))
    with pytest.raises(NotLearnedError, match="lines of the validation part") as caught:
        run(QUICK, context(tmp_path, dataset), Recorder())
    assert "detector off" in caught.value.hint
    assert not ModelStore(tmp_path / "models").models()
