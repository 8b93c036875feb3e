"""The architectures, by name. Importing this imports TensorFlow."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks import conv, crnn
from trainer.schemas.job_request import PresetName

WARM_UP_SHARE = 0.1
MIN_EPOCHS, MAX_EPOCHS = 12, 400
COLUMNS = 12_000_000
"""Columns of pixels that preset conv is trained on: 60,000 images of 200 pixels."""


@dataclass(frozen=True)
class Preset:
    """How to build and train a model: the values that "auto" stands for."""

    build_model: Callable[[ImageSpec, int], Any]
    """From image spec and number of classes to the two-input training model."""
    make_optimizer: Callable[[float], Any]
    """From the learning rate."""
    schedule: Callable[[float], float]
    """From the completed share of the training to a factor of the learning rate."""
    choose_epochs: Callable[[int, int], int]
    """From the number of training images and the width of the input."""
    batch_size: int
    learning_rate: float
    patience: int | None
    """Epochs without improvement; None for the whole schedule, which ends with the best weights."""
    augmentation: float
    """0 for none, 1 for the usual strength."""


def _warm_up_and_cosine(done: float) -> float:
    """Return the factor: linear warm-up, then half a cosine down (Loshchilov and Hutter 2017)."""
    if done < WARM_UP_SHARE:
        return 0.05 + 0.95 * done / WARM_UP_SHARE
    rest = (done - WARM_UP_SHARE) / (1 - WARM_UP_SHARE)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * rest)) / 2


def _epochs_for_columns(images: int, width: int) -> int:
    """Return the epochs that show COLUMNS in all: more for small and narrow sets."""
    return min(MAX_EPOCHS, max(MIN_EPOCHS, round(COLUMNS / (images * width))))


PRESETS: dict[PresetName, Preset] = {
    "conv": Preset(
        conv.build_model,
        partial(keras.optimizers.AdamW, weight_decay=0.01, clipnorm=5.0),
        _warm_up_and_cosine,
        _epochs_for_columns,
        batch_size=16,
        learning_rate=0.002,
        patience=None,
        augmentation=1.0,
    ),
    "crnn": Preset(
        crnn.build_model,
        keras.optimizers.Adam,
        lambda _done: 1.0,
        lambda _images, _width: 100,
        batch_size=16,
        learning_rate=0.001,
        patience=10,
        augmentation=0.0,
    ),
}
