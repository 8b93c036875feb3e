"""One network in training on drawn lines, at several heights at once. Imports TensorFlow."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.recognition.preprocessing import normalize
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.datasets.dataset import Base
from trainer.pipeline.networks.ctc import PADDING
from trainer.pipeline.networks.normalization import FusedNormalization
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.starter.batches import Drawings
from trainer.pipeline.starter.shapes import HEIGHTS, SPEC
from trainer.pipeline.training.base import copy_weights, fitted
from trainer.schemas.job_request import PresetName

RATES: dict[PresetName, float] = {"conv": 0.003, "conv-large": 0.002}
"""The learning rate between warm-up and decay."""
MOMENTUM = 0.99
"""Of the statistics of batch normalisation: batches of one width each differ more than a set's."""


class Learner:
    """A network and its optimizer; its weights are those at the first of HEIGHTS."""

    def __init__(self, preset: PresetName, vocabulary: Vocabulary) -> None:
        self.preset = preset
        self.vocabulary = vocabulary
        self._models = {height: self._build(height) for height in HEIGHTS}
        self.model = self._models[HEIGHTS[0]]
        self._optimizer = PRESETS[preset].make_optimizer(RATES[preset])
        self._optimizer.build(self.model.trainable_variables)
        self._steps = {height: self._compiled(height) for height in HEIGHTS}

    def _build(self, height: int) -> Any:
        spec = SPEC.model_copy(update={"height": height})
        model = PRESETS[self.preset].build_model(spec, self.vocabulary.classes)
        return keras.models.clone_model(model, clone_function=_for_long_training)

    def start_from(self, base: Base) -> None:
        """Copy a base's weights, those of characters that both know."""
        copy_weights(base, self.reader, self.vocabulary)

    def step(self, batch: Drawings, factor: float) -> float:
        """Learn a batch at this factor of the learning rate; return its loss per image."""
        self._optimizer.learning_rate.assign(RATES[self.preset] * factor)
        step = self._steps[batch.pixels.shape[1]]
        return float(step(normalize(batch.pixels, SPEC), _padded(batch.classes)))

    def _compiled(self, height: int) -> Any:
        images = tf.TensorSpec((None, height, None, 1), tf.float32)
        labels = tf.TensorSpec((None, None), tf.int32)
        step = partial(self._train_step, height=height)
        return tf.function(step, input_signature=[images, labels], autograph=False)

    def _train_step(self, images: Any, labels: Any, height: int) -> Any:
        with tf.GradientTape() as tape:
            loss = self._loss(images, labels, height)
        variables = self.model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, [each.value for each in variables]), variables)
        return loss

    def _loss(self, images: Any, labels: Any, height: int) -> Any:
        """Return the mean loss of images of this height, and update the statistics."""
        model, statistics = self._models[height], self.model.non_trainable_variables
        weights = [
            _stretched(variable, other.shape)
            for variable, other in zip(
                self.model.trainable_variables, model.trainable_variables, strict=True
            )
        ]
        before = [variable.value for variable in statistics]
        _, after, losses = model.stateless_call(
            weights, before, [images, labels], training=True, return_losses=True
        )
        for variable, value in zip(statistics, after, strict=True):
            variable.assign(value)
        return tf.add_n(losses)

    @cached_property
    def reader(self) -> Any:
        """The model from the image to the softmax output; shares the weights."""
        return inference_model(self.model)

    @property
    def variables(self) -> list[Any]:
        """All variables of network and optimizer."""
        return [*self.model.variables, *self._optimizer.variables]


def _for_long_training(layer: Any) -> Any:
    """Copy a layer, without weights, for lines of which none comes twice."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return FusedNormalization(**layer.get_config() | {"momentum": MOMENTUM})
    copied = layer.__class__.from_config(layer.get_config())
    if isinstance(copied, keras.layers.Dropout):
        copied.rate = 0.0
    return copied


def exported(learner: Learner) -> Any:
    """Return the network in float32, from the image to the softmax output, as jobs build it."""
    keras.config.set_dtype_policy("float32")
    model = PRESETS[learner.preset].build_model(SPEC, learner.vocabulary.classes)
    model.set_weights(learner.model.get_weights())
    return inference_model(model)


def inference_model(model: Any) -> Any:
    """Return a training model without its loss."""
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1], name="reader")


def _padded(classes: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    labels = np.full((len(classes), max(1, *map(len, classes))), PADDING, np.int32)
    for row, one in zip(labels, classes, strict=True):
        row[: len(one)] = one
    return labels


def _stretched(variable: Any, shape: Sequence[int]) -> Any:
    """Return the variable's value, stretched over so many rows if it folds the height."""
    if tuple(variable.shape) == tuple(shape):
        return variable.value
    rows = variable.shape[0]
    spread = fitted(np.eye(rows, dtype=np.float32)[:, None, :, None], (shape[0], 1, rows, 1))
    return tf.tensordot(tf.constant(spread[:, 0, :, 0], tf.float32), variable.value, axes=1)
