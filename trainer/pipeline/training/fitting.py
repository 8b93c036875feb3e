"""A model with its optimizer and its data, trained epoch by epoch. Imports TensorFlow."""

import math
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.api.jobs import Progress
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import to_batch
from shared.recognition.scoring import Score, edit_distance
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.networks.ctc import ctc_loss
from trainer.pipeline.networks.inference import BATCH, CHUNK, predict
from trainer.pipeline.networks.normalization import fuse_normalization
from trainer.pipeline.networks.presets import Preset
from trainer.pipeline.training.augmentation import augment
from trainer.pipeline.training.base import copy_weights
from trainer.pipeline.training.checkpoint import State
from trainer.pipeline.training.devices import CPU, Devices, learn_part, share_statistics
from trainer.pipeline.training.examples import Batch, Examples
from trainer.pipeline.training.results import Nearer, Parameters, Validation, Weights
from trainer.pipeline.training.schedule import (
    DECAY_SHARE,
    WARM_UP_SHARE,
    WARM_UP_STEPS,
    expected_end,
    finish_steps,
    hurried,
    planned,
)
from trainer.schemas.progress import Observer

MILESTONES = (0.95, 0.99)
"""Exact match on validation for which the training seconds are reported."""

VALIDATION_STEPS = 50
"""Steps between two validations of a small set: after each epoch of eight steps, they took longer
than the training."""
WAY_BACK = 0.2
"""Share of the way from the last weights to the first, as if the starter were a fifth network."""
TIMED_STEPS = range(3, 8)
"""Steps that are timed for the first estimate. The ones before are slower: they compile."""


class Fitting:
    """A model in training.

    All randomness depends on the seed and the number of the epoch or step alone, so a resumed run
    repeats an uninterrupted one.
    """

    def __init__(
        self,
        dataset: Dataset,
        examples: Examples,
        preset: Preset,
        parameters: Parameters,
        base: Base | None,
        observer: Observer,
        devices: Devices = CPU,
    ) -> None:
        self.dataset = dataset
        self.examples = examples
        self.preset = preset
        self.parameters = parameters
        self.observer = observer
        self.devices = devices
        with devices.building():
            self.model = self._build_model()
            self.optimizer = preset.make_optimizer(parameters.learning_rate)
            self.optimizer.build(self.model.trainable_variables)
        if devices.plain:
            fuse_normalization(self.model)
        if devices.replicas > 1:
            share_statistics(self.model, self.optimizer, devices.replicas)
        # A model of its own, to which the weights are copied for each validation: it is exported,
        # so it has Keras's own layers only.
        self.inference_model = self._build_export_model()
        self.inference_model.set_weights(self.model.get_weights())
        if base is not None:
            copy_weights(base, self.inference_model, dataset.vocabulary)
            self.model.set_weights(self.inference_model.get_weights())
        self._first_weights = self.inference_model.get_weights()
        self._step = tf.function(self._train_step, reduce_retracing=True)
        self._timed_since: float | None = None

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches that hold every training image once."""
        return -(-len(self.examples.train) // self.parameters.batch_size)

    @property
    def epochs_per_validation(self) -> int:
        """1 where epochs or patience are counted."""
        if self.parameters.epochs is not None or self.parameters.patience is not None:
            return 1
        return max(1, round(VALIDATION_STEPS / self.steps_per_epoch))

    @property
    def _planned_steps(self) -> int | None:
        """The steps in all, where they are known before training."""
        epochs = self.parameters.epochs
        return epochs * self.steps_per_epoch if epochs else self.parameters.steps

    def first_state(self, restarts: int, seconds: float) -> State:
        """Return the state before the first epoch.

        restarts: restarts so far; seconds: the training time that they took.
        """
        steps, decays = self._planned_steps, self.preset.decays
        return State(
            decay=planned(steps, decays=decays) if steps else None,
            weights=self._weights(),
            best_weights=self.model.get_weights(),
            restarts=restarts,
            seconds=seconds,
            seconds_before=seconds,
            seconds_to={str(milestone): None for milestone in MILESTONES},
        )

    def restore(self, state: State) -> None:
        """Resume from a checkpoint's state."""
        for variable, value in zip(self._variables(), state.weights, strict=True):
            variable.assign(value)

    def epoch(self, state: State) -> None:
        """Train until the next validation, validate, and update the state."""
        started = time.monotonic() - state.seconds
        loss = self._train_epoch(state, started)
        self.inference_model.set_weights(self.model.get_weights())
        decaying = state.decay is not None and state.steps > state.decay.start
        validation = self._validate(decaying=decaying)
        state.seconds = time.monotonic() - started
        state.weights = self._weights()
        weights = self.inference_model.get_weights()
        state.record(validation, weights, choose=not self.dataset.is_fold)
        for milestone in MILESTONES:
            if validation.exact_match >= milestone and state.seconds_to[str(milestone)] is None:
                state.seconds_to[str(milestone)] = round(state.seconds, 3)
        progress = self._progress(state, loss, validation)
        state.history.append(progress)
        self.observer.progress(progress)

    def nearer(self, weights: Weights) -> Nearer:
        """Measure weights that have gone a part of the way back to the first ones.

        (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".)
        """
        pairs = zip(weights, self._first_weights, strict=True)
        mixed = [(1 - WAY_BACK) * last + WAY_BACK * first for last, first in pairs]
        self.inference_model.set_weights(mixed)
        return Nearer(mixed, self._validate(decaying=True))

    def is_over(self, state: State, seconds: float) -> bool:
        """Return whether the schedule or the time has ended; seconds: of training so far."""
        ended = state.decay is not None and state.steps >= state.decay.end
        return ended or self.is_out_of_time(seconds)

    def is_out_of_time(self, seconds: float) -> bool:
        """Return whether max_minutes are over; seconds: of training so far."""
        minutes = self.parameters.max_minutes
        return minutes is not None and seconds >= minutes * 60

    def _build_model(self) -> Any:
        return self.preset.build_model(self.dataset.image, self.dataset.vocabulary.classes)

    def _build_export_model(self) -> Any:
        """Return a separate inference model: float32, on one device, for export."""
        twin = _inference_model(self._build_model())
        for layer in twin.layers:
            if isinstance(layer, keras.layers.Bidirectional):
                # ONNX has no operator for cuDNN's LSTM.
                layer.forward_layer.use_cudnn = layer.backward_layer.use_cudnn = False
        return twin

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables]

    def _weights(self) -> list[NDArray[Any]]:
        return [variable.numpy() for variable in self._variables()]

    def _train_epoch(self, state: State, started: float) -> float:
        """Train until the next validation or the end; return the mean loss per image."""
        total, images = 0.0, 0
        for pixels, labels in self._batches(state.epoch):
            self.observer.checkpoint()
            self._plan_end(state, time.monotonic() - started)
            self.optimizer.learning_rate.assign(self._learning_rate(state))
            seed = np.array([self.parameters.seed % 2**31, state.steps], np.int32)
            loss = self._step(to_batch(pixels, self.dataset.image), labels, seed)
            total += float(loss) * len(pixels)
            images += len(pixels)
            state.steps += 1
            self._estimate(state, time.monotonic() - started)
            if self.is_over(state, time.monotonic() - started):
                break  # also in mid-epoch: an epoch of a large set takes hours
        return total / images

    def _estimate(self, state: State, seconds: float) -> None:
        """Say how long training will take, once a few steps have been timed."""
        if state.steps == TIMED_STEPS.start:
            self._timed_since = seconds
        elif state.steps == TIMED_STEPS.stop and self._timed_since is not None:
            each = (seconds - self._timed_since) / len(TIMED_STEPS)
            self.observer.estimate(self._seconds_left(state, each, seconds))

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of the epochs until the next validation."""
        batch_size, seed = self.parameters.batch_size, self.parameters.seed
        epochs = range(epoch, epoch + self.epochs_per_validation)
        return chain.from_iterable(
            self.examples.train.shuffled(batch_size, seed, each) for each in epochs
        )

    def _learning_rate(self, state: State) -> float:
        rate, planned_steps = self.parameters.learning_rate, self._planned_steps
        if self.preset.decays:
            steps = WARM_UP_SHARE * planned_steps if planned_steps else math.inf
            rate *= min(1.0, (state.steps + 1) / min(WARM_UP_STEPS, max(1.0, steps)))
        return rate * (state.decay.factor(state.steps) if state.decay else 1.0)

    def _plan_end(self, state: State, seconds: float) -> None:
        """Begin the decay, or hurry it, if the run should finish or its time is nearly over."""
        before = state.decay
        if self.observer.finishing():
            state.decay = hurried(before, state.steps, finish_steps(state.steps))
            if state.decay != before:
                message = f"Asked to finish: {state.decay.end - state.steps} more steps."
                self.observer.event("finishing", message)
        elif self.preset.decays and state.steps and self.parameters.max_minutes is not None:
            left = self.parameters.max_minutes * 60 - seconds
            trained = seconds - state.seconds_before
            if left <= DECAY_SHARE * trained:
                steps = max(1, round(left / trained * state.steps))
                state.decay = hurried(before, state.steps, steps)

    def _train_step(self, images: Any, labels: Any, seed: Any) -> Any:
        if self.parameters.augmentation:
            images = augment(images, self.parameters.augmentation, seed)
        if self.dataset.image.direction == "rtl":
            # Instead of the output: the network itself goes from left to right.
            labels = tf.reverse_sequence(labels, tf.math.count_nonzero(labels >= 0, 1), seq_axis=1)
        if self.devices.strategy is not None:
            batch = (self.model, self.optimizer, images, labels)
            losses = self.devices.strategy.run(learn_part, batch)
            return self.devices.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        with tf.GradientTape() as tape:
            self.model([images, labels], training=True)
            loss = tf.add_n(self.model.losses)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _validate(self, *, decaying: bool) -> Validation:
        losses: list[NDArray[np.float32]] = []
        texts: list[str] = []
        for pixels, classes in self.examples.validation.in_order(CHUNK):
            output = predict(self.inference_model, pixels, self.dataset.image)
            losses += _losses(classes, output)
            texts += (prediction.text for prediction in decode(output, self.dataset.vocabulary))
        labels = list(self.dataset.validation.labels)
        score = Score.of(zip(labels, texts, strict=True))
        each = np.concatenate(losses).astype(float)
        return Validation(
            score.exact_match,
            float(each.mean()),
            score.cer,
            not any(texts),
            decaying,
            each.tolist(),
            [edit_distance(*pair) for pair in zip(labels, texts, strict=True)],
        )

    def _progress(self, state: State, loss: float, validation: Validation) -> Progress:
        since_restart = state.seconds - state.seconds_before
        epochs = state.steps / self.steps_per_epoch
        end = self._expected_end(state)
        return Progress(
            epoch=math.ceil(epochs),
            epochs=math.ceil(end / self.steps_per_epoch),
            loss=loss,
            validation_loss=validation.loss,
            exact_match=validation.exact_match,
            cer=validation.cer,
            images_per_second=epochs * len(self.examples.train) / since_restart,
            seconds=state.seconds,
            seconds_left=self._seconds_left(state, since_restart / state.steps, state.seconds),
        )

    def _expected_end(self, state: State) -> int:
        characters = len(self.dataset.vocabulary.characters)
        return expected_end(state.decay, state.steps, characters)

    def _seconds_left(self, state: State, step_seconds: float, spent: float) -> float:
        """Estimate the rest of the training from the time of a step."""
        left = (self._expected_end(state) - state.steps) * step_seconds
        if self.parameters.max_minutes is not None:
            left = min(left, self.parameters.max_minutes * 60 - spent)
        return max(0.0, left)


def _losses(labels: NDArray[np.int32], output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the CTC loss of each image; in batches, because the loss takes much memory."""
    return [
        np.asarray(ctc_loss(labels[i : i + BATCH], output[i : i + BATCH]).numpy())
        for i in range(0, len(labels), BATCH)
    ]


def _inference_model(model: Any) -> Any:
    """Return the model from the image to the softmax output, without loss or custom layer."""
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1], name="reader")
