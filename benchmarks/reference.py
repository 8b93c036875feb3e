"""The seed recipe: that of the Keras captcha tutorial, with the product's parts.

Preset crnn, Adam 0.001, batches of 16, values in [0, 1], no augmentation, 100 epochs at most,
patience 10. No restart, and no diagnosis on the plateau where a CTC model begins.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer


def train_reference(dataset: Dataset, request: JobRequest, observer: Observer, work: Path) -> Any:
    """Train on a set without standardisation; return the inference model with its best weights."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(request.seed)
    parameters, _ = choose_parameters(request)
    fitting = Fitting(
        dataset, Examples.of(dataset), PRESETS[request.settled_preset], parameters, None, observer
    )
    state = fitting.first_state(restarts=0, seconds=0.0)
    patience = parameters.patience or math.inf
    while state.since_best < patience and not fitting.is_over(state, state.seconds):
        fitting.epoch(state)
    fitting.inference_model.set_weights(state.best_weights)
    return fitting.inference_model


def without_standardization(dataset: Dataset) -> Dataset:
    """Return the set with the tutorial's image spec: values in [0, 1]."""
    image = dataset.image.model_copy(update={"standardize": False})
    return replace(dataset, image=image)
