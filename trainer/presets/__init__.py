"""The architectures, by name. Importing this imports TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.preprocessing import ImageSpec
from trainer.presets import crnn
from trainer.requests import PresetName


@dataclass(frozen=True)
class Preset:
    """How to build a model, and the training parameters that "auto" stands for."""

    build_model: Callable[[ImageSpec, int], Any]
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int


PRESETS: dict[PresetName, Preset] = {
    "crnn": Preset(crnn.build_model, epochs=100, batch_size=16, learning_rate=0.001, patience=10),
}
