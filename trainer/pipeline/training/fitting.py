"""A model with its optimizer and its data, trained epoch by epoch. Imports TensorFlow."""

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.api.jobs import Progress
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import to_batch
from shared.recognition.scoring import Score
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.networks.ctc import ctc_loss
from trainer.pipeline.networks.inference import BATCH, CHUNK, predict
from trainer.pipeline.networks.presets import Preset
from trainer.pipeline.training.augmentation import augment
from trainer.pipeline.training.base import copy_weights
from trainer.pipeline.training.checkpoint import State
from trainer.pipeline.training.devices import CPU, Devices, learn_part, share_statistics
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.results import Parameters, Validation
from trainer.schemas.progress import Observer

MILESTONES = (0.95, 0.99)
"""Exact match on validation for which the training seconds are reported."""


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
        if devices.replicas > 1:
            share_statistics(self.model, self.optimizer, devices.replicas)
        # On the CPU both share their variables; elsewhere the weights are copied each epoch.
        self.inference_model = (
            _inference_model(self.model) if devices.plain else self._build_export_model()
        )
        if base is not None:
            copy_weights(base, self.inference_model, dataset.vocabulary)
            self.model.set_weights(self.inference_model.get_weights())
        self._step = tf.function(self._train_step, reduce_retracing=True)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches that hold every training image once."""
        return -(-len(self.examples.train) // self.parameters.batch_size)

    def first_state(self, restarts: int, seconds: float) -> State:
        """Return the state before the first epoch.

        restarts: restarts so far; seconds: the training time that they took.
        """
        return State(
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
        """Train on every image once, validate, and update the state."""
        started = time.monotonic() - state.seconds
        loss = self._train_epoch(state, started)
        if not self.devices.plain:
            self.inference_model.set_weights(self.model.get_weights())
        validation = self._validate()
        state.seconds = time.monotonic() - started
        state.weights = self._weights()
        state.record(validation, self.inference_model.get_weights())
        for milestone in MILESTONES:
            if validation.exact_match >= milestone and state.seconds_to[str(milestone)] is None:
                state.seconds_to[str(milestone)] = round(state.seconds, 3)
        progress = self._progress(state, loss, validation)
        state.history.append(progress)
        self.observer.progress(progress)

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
        """Train on every image once; return the mean loss per image."""
        parameters, steps = self.parameters, self.steps_per_epoch
        batches = self.examples.train.shuffled(parameters.batch_size, parameters.seed, state.epoch)
        total = 0.0
        for index, (pixels, labels) in enumerate(batches, state.epoch * steps):
            self.observer.checkpoint()
            of_schedule = index / steps + state.skipped
            # By the clock too: a run that a time limit ends has then had its low learning rates.
            done = max(of_schedule / parameters.epochs, self._time_spent(started))
            self.optimizer.learning_rate.assign(
                parameters.learning_rate * self.preset.schedule(min(done, 1.0))
            )
            images = to_batch(pixels, self.dataset.image)
            seed = np.array([parameters.seed % 2**31, index], np.int32)
            loss = self._step(images, labels, seed)
            total += float(loss) * len(pixels)
        return total / len(self.examples.train)

    def _time_spent(self, started: float) -> float:
        """Return the elapsed share of max_minutes, 0 without that limit."""
        minutes = self.parameters.max_minutes
        return 0.0 if minutes is None else (time.monotonic() - started) / (minutes * 60)

    def _train_step(self, images: Any, labels: Any, seed: Any) -> Any:
        if self.parameters.augmentation:
            images = augment(images, self.parameters.augmentation, seed)
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

    def _validate(self) -> Validation:
        losses: list[NDArray[np.float32]] = []
        texts: list[str] = []
        for pixels, labels in self.examples.validation.in_order(CHUNK):
            output = predict(self.inference_model, pixels, self.dataset.image)
            losses += _losses(labels, output)
            texts += (prediction.text for prediction in decode(output, self.dataset.vocabulary))
        score = Score.of(zip(self.dataset.validation.labels, texts, strict=True))
        loss = float(np.concatenate(losses).mean())
        return Validation(score.exact_match, loss, score.cer, not any(texts))

    def _progress(self, state: State, loss: float, validation: Validation) -> Progress:
        epoch, epochs = state.epoch + 1, self.parameters.epochs - state.skipped
        since_restart = state.seconds - state.seconds_before
        left = since_restart / epoch * (epochs - epoch)
        if self.parameters.max_minutes is not None:
            left = min(left, max(0.0, self.parameters.max_minutes * 60 - state.seconds))
        return Progress(
            epoch=epoch,
            epochs=epochs,
            loss=loss,
            validation_loss=validation.loss,
            exact_match=validation.exact_match,
            cer=validation.cer,
            images_per_second=epoch * len(self.examples.train) / since_restart,
            seconds=state.seconds,
            seconds_left=left,
        )


def _losses(labels: NDArray[np.int32], output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the CTC loss of each image; in batches, because the loss takes much memory."""
    return [
        np.asarray(ctc_loss(labels[i : i + BATCH], output[i : i + BATCH]).numpy())
        for i in range(0, len(labels), BATCH)
    ]


def _inference_model(model: Any) -> Any:
    """Return the model from the image to the softmax output, without loss or custom layer."""
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1], name="reader")
