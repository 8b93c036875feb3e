"""Results of training as plain values, without TensorFlow."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.api.jobs import Progress

Weights = list[NDArray[np.float32]]
"""Of a Keras model, in its order."""


@dataclass(frozen=True)
class Parameters:
    """The effective training parameters, with "auto" resolved."""

    epochs: int | None
    """None until training has ended, where it ends by itself."""
    steps: int | None
    """Batches in all, unless epochs are given; None for as many as it takes."""
    batch_size: int
    learning_rate: float
    patience: int | None
    augmentation: float
    max_minutes: float | None
    seed: int


@dataclass(frozen=True)
class Validation:
    """One measurement on the validation part; loss is the mean CTC loss per image, in nats."""

    exact_match: float
    loss: float
    cer: float
    all_empty: bool
    decaying: bool = False
    """Whether the learning rate had begun to fall."""
    losses: list[float] = field(default_factory=list)
    """Of each image, in the part's order."""
    edits: list[int] = field(default_factory=list)
    """Characters to be changed in each image's text."""


@dataclass(frozen=True)
class Nearer:
    """A network on its way back from its last to its first weights, and how it does there."""

    weights: Weights
    validation: Validation


@dataclass
class Trained:
    """A trained model with its best weights, and its training's history."""

    model: Any
    """The Keras inference model: (N, H, W, C) to softmax (N, T, classes)."""
    time_steps: int
    base: str | None
    """The base of the weights, None for random ones."""
    parameters: Parameters
    validation: Validation
    seconds: float
    epochs: int
    images_per_second: float
    seconds_to: dict[str, float | None]
    """Training seconds until the validation part's exact match reached each milestone."""
    history: list[Progress] = field(default_factory=list)
    nearer: Nearer | None = None
    """Of the same network, where the validation part only measures."""
    unlabelled_images: int = 0
    """Images without a text that each network has learned from, on average."""
    committee: tuple[Weights, ...] = ()
    """Of the networks whose mean the model is: each has learned from all folds but its own."""
