"""The architectures, by name. Importing this imports TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks import conv, conv_large, crnn
from trainer.schemas.job_request import PresetName


@dataclass(frozen=True)
class Preset:
    """How to build and train a model: the values that "auto" stands for."""

    build_model: Callable[[ImageSpec, int], Any]
    """From image spec and number of classes to the two-input training model."""
    make_optimizer: Callable[[float], Any]
    """From the learning rate."""
    epochs: int | None
    """At most; None: as many as it takes."""
    decays: bool
    """Whether the learning rate warms up and falls at the end; else it is constant."""
    batch_size: int
    learning_rate: float
    patience: int | None
    """Epochs without improvement after which training stops; None for no such limit."""
    augmentation: float
    """0 for none, 1 for the usual strength."""


_CONV = Preset(
    conv.build_model,
    partial(keras.optimizers.AdamW, weight_decay=0.01, clipnorm=5.0),
    epochs=None,
    decays=True,
    batch_size=16,
    learning_rate=0.002,
    patience=None,
    augmentation=1.0,
)

PRESETS: dict[PresetName, Preset] = {
    "conv": _CONV,
    "conv-large": replace(_CONV, build_model=conv_large.build_model),
    "crnn": Preset(
        crnn.build_model,
        keras.optimizers.Adam,
        epochs=100,
        decays=False,
        batch_size=16,
        learning_rate=0.001,
        patience=10,
        augmentation=0.0,
    ),
}
