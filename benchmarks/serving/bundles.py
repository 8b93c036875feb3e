"""Bundles to serve without training: random weights with an output layer fitted to one image.

The graphs are the presets', so they take the time of trained ones. So does decoding, as every
prediction is a short text of high confidence.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.recognition.decoding import decode
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit, normalize, open_image
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import (
    GOLDEN_PREDICTIONS,
    ONNX_MODEL,
    Calibration,
    CalibrationError,
    FileEntry,
    GoldenPrediction,
    Manifest,
    Threshold,
)
from shared.store.store import ModelStore
from trainer.schemas.job_request import PresetName

VOCABULARY = Vocabulary("2345678bcdefgmnpwxy")
"""That of the V2 set."""
MEASURED = ImageSpec(height=48, width=192, channels=1, resize="stretch", standardize=True)
SPECS: dict[PresetName, ImageSpec] = {
    "conv": MEASURED,
    "conv-large": MEASURED,
    "crnn": ImageSpec(height=50, width=200, channels=1, resize="stretch", standardize=False),
}
"""The specs that training chooses for the V2 set, and the tutorial's."""
TEMPERATURE = 1.2
"""As of a calibrated bundle: applying a temperature takes time."""
CORRECT_LOGIT = 16.0
"""Logit of the correct class; the others' is 0."""


@dataclass(frozen=True)
class Bundle:
    """What to publish: a preset that predicts each of the texts for the image, one version each."""

    preset: PresetName
    image: bytes
    texts: tuple[str, ...]


def publish(bundle: Bundle, store: Path) -> None:
    """Publish the versions as model ``default``, the first one current. Imports TensorFlow."""
    import keras  # noqa: PLC0415

    from trainer.pipeline.networks.keras_files import write_models  # noqa: PLC0415
    from trainer.pipeline.networks.presets import PRESETS  # noqa: PLC0415

    spec = SPECS[bundle.preset]
    inputs = normalize(fit(open_image(bundle.image), spec)[np.newaxis], spec)
    keras.utils.set_random_seed(0)
    model = PRESETS[bundle.preset].build_model(spec, VOCABULARY.classes)
    model = keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1])
    _disturb_normalisation(model)
    for number, text in enumerate(bundle.texts, 1):
        _fit_output_layer(model, inputs, text)
        build = store.with_name(f"{store.name}-build-{number}")
        (build / "golden").mkdir(parents=True)
        write_models(model, build)
        time_steps = _write_golden(build, bundle.image, text, inputs)
        _publish(ModelStore(store), build, bundle.preset, time_steps, current=number == 1)


def _disturb_normalisation(model: Any) -> None:
    """Perturb batch normalisation: the export would remove layers that change nothing."""
    import keras  # noqa: PLC0415

    chance = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            weights = layer.get_weights()
            layer.set_weights([each + 0.1 * chance.random(each.shape) for each in weights])


def _fit_output_layer(model: Any, inputs: NDArray[np.float32], text: str) -> None:
    """Fit the output layer by least squares, so that the model predicts the text."""
    import keras  # noqa: PLC0415

    output = model.layers[-1]
    features = keras.Model(model.inputs, output.input).predict(inputs, verbose=0)[0]
    path = best_path(text, len(features))
    system = np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)
    logits = CORRECT_LOGIT * np.eye(VOCABULARY.classes)[path]
    solution, *_ = np.linalg.lstsq(system, logits, rcond=1e-6)
    output.set_weights([solution[:-1], solution[-1]])


def best_path(text: str, time_steps: int) -> list[int]:
    """Return a class for each time step that spells the text, its characters evenly spread."""
    path = [VOCABULARY.blank_index] * time_steps
    for position, character in enumerate(text, 1):
        middle = round(position * time_steps / (len(text) + 1))
        path[middle : middle + 2] = [VOCABULARY.characters.index(character)] * 2
    return path


def _write_golden(build: Path, image: bytes, text: str, inputs: NDArray[np.float32]) -> int:
    """Write the image and its prediction; return the number of time steps."""
    from trainer.pipeline.networks.inference import OnnxGraph  # noqa: PLC0415

    probabilities = OnnxGraph(build / ONNX_MODEL).predict_on_batch(inputs)
    [prediction] = decode(probabilities, VOCABULARY, TEMPERATURE)
    if prediction.text != text:
        raise AssertionError(f"The model predicts {prediction.text!r}, not {text!r}.")
    golden = GoldenPrediction(
        file="golden/0001.png", truth=text, text=text, confidence=prediction.confidence
    )
    (build / golden.file).write_bytes(image)
    (build / GOLDEN_PREDICTIONS).write_text(json.dumps([golden.model_dump()]))
    return int(probabilities.shape[1])


def _publish(
    store: ModelStore, build: Path, preset: PresetName, time_steps: int, *, current: bool
) -> None:
    def manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            model="default",
            version=version,
            job_id=build.name,
            attempt=1,
            created_at=datetime.now(UTC),
            origin="trained",
            preset=preset,
            base=None,
            dataset="none: random weights",
            vocabulary=VOCABULARY.characters,
            blank_index=VOCABULARY.blank_index,
            image=SPECS[preset],
            time_steps=time_steps,
            label_lengths={},
            metrics=None,
            calibration=_calibration(),
            seed=0,
            parameters={},
            libraries={},
            files=files,
        )

    store.publish(
        build, manifest, model="default", job_id=build.name, promote=lambda _served: current
    )


def _calibration() -> Calibration:
    error = CalibrationError(images=1, before=0.0, after=0.0)
    everything = Threshold(
        threshold=0.0, images=1, accepted=1.0, wrong=0.0, wrong_interval=(0.0, 1.0)
    )
    return Calibration(
        temperature=TEMPERATURE, bins=10, validation=error, test=error, thresholds=(everything,)
    )


def other_text(text: str) -> str:
    """Return a text of the same length that differs in every character."""
    characters = VOCABULARY.characters
    return "".join(characters[characters.index(each) - 1] for each in text)
