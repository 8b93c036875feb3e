"""Stage 3: fit a model to the training part; the validation part chooses the weights."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.decoding import decode
from shared.errors import ReadsmithError
from shared.preprocessing import normalize
from shared.scoring import Score
from shared.vocabulary import Vocabulary
from trainer.augmentation import augment
from trainer.base import copy_weights
from trainer.checkpoint import State, load, save
from trainer.dataset import Base, Dataset, LabelledImage
from trainer.inference import load_pixels, predict
from trainer.presets import PRESETS
from trainer.presets.ctc import PADDING, ctc_loss
from trainer.progress import Observer, Progress
from trainer.requests import JobRequest
from trainer.training import Parameters, Trained, Validation

MILESTONES = (0.95, 0.99)
PLATEAU_EPOCHS = 30
"""So long may a model give nothing but blanks, as CTC models do at first, before it is given up."""
MAX_CER = 0.5
"""A model that gets no whole text right is published only below this character error rate."""


def train(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    base: Base | None = None,
) -> Trained:
    """Train until the validation part gets no better, or the epochs or the minutes are over.

    A run that was cut off goes on from the checkpoint in its work folder.
    Raises ReadsmithError (did_not_learn) if the model reads nothing.
    """
    keras.utils.set_random_seed(request.seed)
    tf.config.experimental.enable_op_determinism()
    parameters = resolve(request, len(dataset.train))
    fitting = _Fitting(dataset, request, parameters, observer, base)
    run = f"{request.model_dump_json()} {dataset.image} {dataset.vocabulary.characters}"
    state = load(work, run)
    if state is None:
        state = fitting.first_state()
    else:
        observer.event("resumed", f"Going on after epoch {state.epoch}.")
        fitting.restore(state)
    while not _finished(state, parameters):
        fitting.epoch(state)
        save(work, state, run)
    return _trained(fitting, state, parameters)


def resolve(request: JobRequest, images: int) -> Parameters:
    """Replace every "auto" by the preset's value for this many training images."""
    preset, wanted = PRESETS[request.preset], request.hyperparameters
    epochs = preset.choose_epochs(images) if wanted.epochs == "auto" else wanted.epochs
    return Parameters(
        epochs=epochs,
        batch_size=preset.batch_size if wanted.batch_size == "auto" else wanted.batch_size,
        learning_rate=(
            preset.learning_rate if wanted.learning_rate == "auto" else wanted.learning_rate
        ),
        patience=preset.patience or epochs if wanted.patience == "auto" else wanted.patience,
        augmentation=preset.augmentation,
        max_minutes=None if wanted.max_minutes == "auto" else wanted.max_minutes,
    )


def encode_labels(labels: Sequence[str], vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Return classes, int32 (N, longest), PADDING behind the end of shorter labels."""
    encoded = np.full((len(labels), max(map(len, labels))), PADDING, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = vocabulary.encode(label)
    return encoded


class _Fitting:
    """A model with its optimizer and its data, trained epoch by epoch.

    Everything random follows from the seed and the number of the epoch or step, so that a
    resumed run goes the way of an uncut one.
    """

    def __init__(
        self,
        dataset: Dataset,
        request: JobRequest,
        parameters: Parameters,
        observer: Observer,
        base: Base | None,
    ) -> None:
        self.dataset = dataset
        self.parameters = parameters
        self.seed = request.seed
        self.observer = observer
        self.preset = PRESETS[request.preset]
        self.model = self.preset.build_model(dataset.image, dataset.vocabulary.classes)
        self.reader = _inference_model(self.model)
        if base is not None:
            copy_weights(base, self.reader, dataset.vocabulary)
        self.optimizer = self.preset.make_optimizer(parameters.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        self.pixels = load_pixels(dataset.source, dataset.train, dataset.image)
        self.labels = self._encode(dataset.train)
        self.validation_pixels = load_pixels(dataset.source, dataset.validation, dataset.image)
        self.validation_labels = self._encode(dataset.validation)
        self._step = tf.function(self._train_step, reduce_retracing=True)

    def first_state(self) -> State:
        """Return the state before the first epoch."""
        return State(
            weights=self._weights(),
            best_weights=self.reader.get_weights(),
            seconds_to={str(milestone): None for milestone in MILESTONES},
        )

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        for variable, value in zip(self._variables(), state.weights, strict=True):
            variable.assign(value)

    def epoch(self, state: State) -> None:
        """Train on every image once, measure, and bring the state up to date."""
        started = time.monotonic() - state.seconds
        loss = self._train_epoch(state.epoch, started)
        validation = self._validate()
        state.seconds = time.monotonic() - started
        state.weights = self._weights()
        state.since_best = 0 if _improves(validation, state) else state.since_best + 1
        state.lowest_loss = min(validation.loss, state.lowest_loss)
        if state.best is None or _key(validation) >= _key(state.best):
            # Of equals the later: the learning rate has come down further.
            state.best, state.best_weights = validation, self.reader.get_weights()
        for milestone in MILESTONES:
            if validation.exact_match >= milestone and state.seconds_to[str(milestone)] is None:
                state.seconds_to[str(milestone)] = round(state.seconds, 3)
        progress = self._progress(state, loss, validation)
        state.history.append(progress)
        self.observer.progress(progress)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables]

    def _weights(self) -> list[NDArray[Any]]:
        return [variable.numpy() for variable in self._variables()]

    def _encode(self, images: Sequence[LabelledImage]) -> NDArray[np.int32]:
        return encode_labels([image.label for image in images], self.dataset.vocabulary)

    def _batches(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.pixels))
        size = self.parameters.batch_size
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def _train_epoch(self, epoch: int, started: float) -> float:
        """Train on every image once; return the mean loss per image."""
        total = 0.0
        steps = -(-len(self.pixels) // self.parameters.batch_size)
        for index, chosen in enumerate(self._batches(epoch), epoch * steps):
            self.observer.checkpoint()
            done = max(index / (self.parameters.epochs * steps), self._time_spent(started))
            self.optimizer.learning_rate.assign(
                self.parameters.learning_rate * self.preset.schedule(min(done, 1.0))
            )
            pictures = normalize(self.pixels[chosen], self.dataset.image)
            seed = np.array([self.seed % 2**31, index], np.int32)
            total += float(self._step(pictures, self.labels[chosen], seed)) * len(chosen)
        return total / len(self.pixels)

    def _time_spent(self, started: float) -> float:
        """Share of the allowed minutes that is over, 0 without such a limit."""
        minutes = self.parameters.max_minutes
        return 0.0 if minutes is None else (time.monotonic() - started) / (minutes * 60)

    def _train_step(self, pictures: Any, labels: Any, seed: Any) -> Any:
        if self.parameters.augmentation:
            pictures = augment(pictures, self.parameters.augmentation, seed)
        with tf.GradientTape() as tape:
            self.model([pictures, labels], training=True)
            loss = tf.add_n(self.model.losses)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _validate(self) -> Validation:
        output = predict(self.reader, self.validation_pixels, self.dataset.image)
        loss = float(tf.reduce_mean(ctc_loss(self.validation_labels, output)))
        texts = [reading.text for reading in decode(output, self.dataset.vocabulary)]
        truths = [image.label for image in self.dataset.validation]
        score = Score.of(zip(truths, texts, strict=True))
        return Validation(score.exact_match, loss, score.cer, not any(texts))

    def _progress(self, state: State, loss: float, validation: Validation) -> Progress:
        epoch = state.epoch + 1
        left = state.seconds / epoch * (self.parameters.epochs - epoch)
        if self.parameters.max_minutes is not None:
            left = min(left, max(0.0, self.parameters.max_minutes * 60 - state.seconds))
        return Progress(
            epoch=epoch,
            epochs=self.parameters.epochs,
            loss=loss,
            validation_loss=validation.loss,
            exact_match=validation.exact_match,
            images_per_second=epoch * len(self.pixels) / state.seconds,
            seconds=state.seconds,
            seconds_left=left,
        )


def _inference_model(model: Any) -> Any:
    """Return the graph from the picture to the softmax output, without loss or custom layer."""
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1], name="reader")


def _finished(state: State, parameters: Parameters) -> bool:
    if state.epoch >= parameters.epochs:
        return True
    if parameters.max_minutes is not None and state.seconds >= parameters.max_minutes * 60:
        return True
    learning = state.best is not None and not state.best.all_empty
    patience = parameters.patience if learning else max(parameters.patience, PLATEAU_EPOCHS)
    return state.since_best >= patience


def _key(validation: Validation) -> tuple[float, float]:
    return validation.exact_match, -validation.cer


def _improves(validation: Validation, state: State) -> bool:
    better = state.best is None or _key(validation) > _key(state.best)
    return better or validation.loss < state.lowest_loss


def _trained(fitting: _Fitting, state: State, parameters: Parameters) -> Trained:
    assert state.best is not None  # noqa: S101 - there is at least one epoch
    _require_learned(state.best)
    fitting.reader.set_weights(state.best_weights)
    return Trained(
        model=fitting.reader,
        time_steps=int(fitting.reader.output_shape[1]),
        parameters=parameters,
        validation=state.best,
        seconds=state.seconds,
        epochs=state.epoch,
        images_per_second=state.epoch * len(fitting.pixels) / state.seconds,
        seconds_to=state.seconds_to,
        history=state.history,
    )


def _require_learned(best: Validation) -> None:
    if best.exact_match > 0 or (best.cer < 0.9 and not best.all_empty):
        return
    what = "an empty text for every picture" if best.all_empty else "hardly a character right"
    raise ReadsmithError(
        "did_not_learn",
        f"The model did not learn to read: it gives {what} on the validation part "
        f"(character error rate {best.cer:.0%}, loss {best.loss:.2f}).",
        "Check that the labels match the pictures and the text is large enough to read; "
        "give more images or more epochs.",
    )
