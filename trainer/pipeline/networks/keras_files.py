"""Writes, loads and runs the Keras and ONNX files of a bundle. Imports TensorFlow."""

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from shared.errors import ModelFileError, first_line
from shared.recognition.decoding import DecodedText, decode
from shared.recognition.image_spec import WIDTH_STEP, ImageSpec
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import KERAS_MODEL, ONNX_MODEL
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.networks.inference import OnnxGraph, load_pixels, predict


def write_models(
    model: Any, build: Path, keras_name: str = KERAS_MODEL, onnx_name: str = ONNX_MODEL
) -> None:
    """Write a Keras inference model as prediction_model.h5 and prediction_model.onnx.

    Or under other names: those of the detector.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)
    model.save(build / keras_name)
    write_onnx(model, build, onnx_name)


def write_onnx(model: Any, build: Path, name: str = ONNX_MODEL) -> None:
    """Write the model as prediction_model.onnx, or under another name."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Keras uses names that NumPy has deprecated, and warns of the input names of old models.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        # export() fails for a model that was never called.
        model(np.zeros((1, *(side or WIDTH_STEP for side in model.input_shape[1:])), np.float32))
        model.export(build / name, format="onnx", verbose=False)


def load_keras(path: Path) -> Any:
    """Load an h5 without compiling it; raises ReadsmithError (model_unreadable)."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelFileError(
            "model_unreadable",
            f"{path.name} cannot be loaded by Keras {keras.__version__}: {first_line(error)}.",
            "Save the inference model whole with model.save('prediction_model.h5'), "
            "without the CTC layer and without custom layers.",
        ) from error


def load_foreign(path: Path) -> Any:
    """Load a foreign h5 of Keras 3 or 2 that has passed require_harmless.

    The LSTMs of Keras 2 have an argument, time_major, that Keras 3 removed: where it is false,
    the default, it is dropped from the file.
    Raises ReadsmithError (model_unreadable).
    """
    _drop_time_major(path)
    # First without variables: a small file can describe a model of many gigabytes, and this fails
    # where the description does not fit the weights in the file.
    try:
        with keras.StatelessScope(initialize_variables=False):
            load_keras(path)
    finally:  # else the next model built in this process also creates these variables
        keras.utils.clear_session()
    return load_keras(path)


def _drop_time_major(path: Path) -> None:
    with h5py.File(path) as file:
        config = file.attrs.get("model_config", "")
    if isinstance(config, bytes):
        config = config.decode()
    if '"time_major": false' not in config:
        return
    with h5py.File(path, "r+") as file:
        layers = json.loads(config, object_hook=_without_time_major)
        file.attrs["model_config"] = json.dumps(layers)


def _without_time_major(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if (k, v) != ("time_major", False)}


def predict_with_files(
    build: Path,
    source: ImageSource,
    images: tuple[LabelledImage, ...],
    image: ImageSpec,
    vocabulary: Vocabulary,
) -> dict[str, list[DecodedText]]:
    """Predict images with both files of a bundle: {file name: predictions}. For a clean process."""
    pixels = load_pixels(source, images, image)
    return {
        KERAS_MODEL: decode(predict(load_keras(build / KERAS_MODEL), pixels, image), vocabulary),
        ONNX_MODEL: decode(predict(OnnxGraph(build / ONNX_MODEL), pixels, image), vocabulary),
    }
