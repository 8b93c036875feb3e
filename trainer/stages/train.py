"""Stage 3: fit a model to the training part; the validation part chooses the weights."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.decoding import Reading, decode
from shared.errors import ReadsmithError
from shared.preprocessing import normalize
from shared.scoring import Score
from shared.vocabulary import Vocabulary
from trainer.base import copy_weights
from trainer.dataset import Base, Dataset, LabelledImage
from trainer.inference import load_pixels, predict
from trainer.presets import PRESETS
from trainer.presets.ctc import PADDING, ctc_loss
from trainer.progress import Observer, Progress
from trainer.requests import JobRequest
from trainer.training import Parameters, Trained, Validation

MILESTONES = (0.95, 0.99)


def train(
    dataset: Dataset, request: JobRequest, observer: Observer, base: Base | None = None
) -> Trained:
    """Train until the validation part gets no better, the epochs or the minutes are over.

    Raises ReadsmithError (did_not_learn) if the model reads nothing.
    """
    keras.utils.set_random_seed(request.seed)
    tf.config.experimental.enable_op_determinism()
    parameters = resolve(request)
    classes = dataset.vocabulary.classes
    model = PRESETS[request.preset].build_model(dataset.image, classes)
    reader = inference_model(model)
    if base is not None:
        copy_weights(base, reader, dataset.vocabulary)
    model.compile(optimizer=keras.optimizers.Adam(parameters.learning_rate), jit_compile=False)
    run = _Run(model, reader, dataset, parameters, request.seed, observer)
    return run.to_the_end()


def resolve(request: JobRequest) -> Parameters:
    """Replace every "auto" by the preset's value."""
    preset, wanted = PRESETS[request.preset], request.hyperparameters
    return Parameters(
        epochs=preset.epochs if wanted.epochs == "auto" else wanted.epochs,
        batch_size=preset.batch_size if wanted.batch_size == "auto" else wanted.batch_size,
        learning_rate=(
            preset.learning_rate if wanted.learning_rate == "auto" else wanted.learning_rate
        ),
        patience=preset.patience if wanted.patience == "auto" else wanted.patience,
        max_minutes=None if wanted.max_minutes == "auto" else wanted.max_minutes,
    )


def inference_model(model: Any) -> Any:
    """Return the graph from the picture to the softmax output, without loss or custom layer."""
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1], name="reader")


def encode_labels(labels: Sequence[str], vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Return classes, int32 (N, longest), PADDING behind the end of shorter labels."""
    encoded = np.full((len(labels), max(map(len, labels))), PADDING, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = vocabulary.encode(label)
    return encoded


class _Run:
    """One training run: epochs until it pays no more."""

    def __init__(
        self,
        model: Any,
        reader: Any,
        dataset: Dataset,
        parameters: Parameters,
        seed: int,
        observer: Observer,
    ) -> None:
        self.model = model
        self.reader = reader
        self.dataset = dataset
        self.parameters = parameters
        self.observer = observer
        self.shuffler = np.random.default_rng(seed)
        self.pixels = load_pixels(dataset.source, dataset.train, dataset.image)
        self.labels = self._encode(dataset.train)
        self.validation_pixels = load_pixels(dataset.source, dataset.validation, dataset.image)
        self.validation_labels = self._encode(dataset.validation)
        self.seconds_to: dict[str, float | None] = {str(m): None for m in MILESTONES}
        self.history: list[Progress] = []

    def to_the_end(self) -> Trained:
        """Train epoch by epoch and keep the weights that read the validation part best."""
        started = time.monotonic()
        best: Validation | None = None
        weights, since_best = self.reader.get_weights(), 0
        for epoch in range(1, self.parameters.epochs + 1):
            loss = self._epoch()
            validation = self._validate()
            self._tell(epoch, loss, validation, time.monotonic() - started)
            if best is None or _better(validation, best):
                best, weights, since_best = validation, self.reader.get_weights(), 0
            else:
                since_best += 1
            if since_best >= self.parameters.patience or self._out_of_time(started):
                break
        seconds = time.monotonic() - started
        self.reader.set_weights(weights)
        assert best is not None  # noqa: S101 - there is at least one epoch
        _require_learned(best)
        images = len(self.history) * len(self.dataset.train)
        return Trained(
            model=self.reader,
            time_steps=int(self.reader.output_shape[1]),
            parameters=self.parameters,
            validation=best,
            seconds=seconds,
            epochs=len(self.history),
            images_per_second=images / seconds,
            seconds_to=self.seconds_to,
            history=self.history,
        )

    def _encode(self, images: Sequence[LabelledImage]) -> NDArray[np.int32]:
        return encode_labels([image.label for image in images], self.dataset.vocabulary)

    def _batches(self) -> Iterator[NDArray[np.intp]]:
        order = self.shuffler.permutation(len(self.pixels))
        size = self.parameters.batch_size
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def _epoch(self) -> float:
        """Train on every image once; return the mean loss per image."""
        total = 0.0
        for chosen in self._batches():
            self.observer.checkpoint()
            pictures = normalize(self.pixels[chosen], self.dataset.image)
            loss = self.model.train_on_batch([pictures, self.labels[chosen]])
            total += float(loss) * len(chosen)
        return total / len(self.pixels)

    def _validate(self) -> Validation:
        output = predict(self.reader, self.validation_pixels, self.dataset.image)
        loss = float(np.mean(ctc_loss(self.validation_labels, output)))
        readings: list[Reading] = decode(output, self.dataset.vocabulary)
        truths = [image.label for image in self.dataset.validation]
        score = Score.of((t, r.text) for t, r in zip(truths, readings, strict=True))
        return Validation(score.exact_match, loss, score.cer, not any(r.text for r in readings))

    def _tell(self, epoch: int, loss: float, validation: Validation, seconds: float) -> None:
        for milestone in MILESTONES:
            if validation.exact_match >= milestone and self.seconds_to[str(milestone)] is None:
                self.seconds_to[str(milestone)] = round(seconds, 3)
        left = seconds / epoch * (self.parameters.epochs - epoch)
        if self.parameters.max_minutes is not None:
            left = min(left, max(0.0, self.parameters.max_minutes * 60 - seconds))
        progress = Progress(
            epoch=epoch,
            epochs=self.parameters.epochs,
            loss=loss,
            validation_loss=validation.loss,
            exact_match=validation.exact_match,
            images_per_second=epoch * len(self.pixels) / seconds,
            seconds=seconds,
            seconds_left=left,
        )
        self.history.append(progress)
        self.observer.progress(progress)

    def _out_of_time(self, started: float) -> bool:
        minutes = self.parameters.max_minutes
        return minutes is not None and time.monotonic() - started >= minutes * 60


def _better(new: Validation, old: Validation) -> bool:
    return (new.exact_match, -new.loss) > (old.exact_match, -old.loss)


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
