"""A committee that learns in seconds: the starter's lower layers are shared and stay as they are.

What they make of each image is computed once, so that a step costs a third and needs no image.
Each network learns the upper layers without one fold, as in trainer/pipeline/search/committee.py,
and then anew, from what it reads with confidence on images without a text.
Importing this imports TensorFlow.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.recognition.decoding import decode, in_reading_order
from shared.recognition.preprocessing import fit, open_image, to_batch
from trainer.labelling.estimate import JOINED
from trainer.labelling.labelled_set import Reading
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.sources.threads import map_in_threads
from trainer.pipeline.evaluation.calibration import fit_temperature
from trainer.pipeline.networks.ctc import PADDING, ctc_loss
from trainer.pipeline.networks.inference import joined
from trainer.pipeline.networks.normalization import fuse_normalization
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.search.self_training import CONFIDENT
from trainer.pipeline.training.augmentation import augment
from trainer.pipeline.training.base import copy_weights, load_starter
from trainer.pipeline.training.examples import encode_labels
from trainer.pipeline.training.results import Weights
from trainer.schemas.job_request import PresetName
from trainer.schemas.progress import Observer

PRESET: Final[PresetName] = "conv-large"
"""With 12 labels of Captcha Images V2 it read 82 % of the others right, conv 67 %."""
CUT = "mix_relu"
"""The layer below which nothing learns: where the height has been folded into channels. Cut two
blocks higher, the same networks read 79 %."""
STEPS, STEPS_AFTER = 40, 80
"""Of each network: from the labels, and from its own confident texts as well. 80 steps from the
labels alone were no better than 40."""
BATCH, READ_BATCH = 16, 64
COPIES, MOST_COPIES = 6, 300
"""Varied copies of each labelled image, and of all together."""
WARM_UP, FALL = 0.1, 0.2
"""Shares of the steps in which the rate rises and falls."""
SIMILAR = 8
"""Batches whose images are sorted by width together."""

Columns = NDArray[np.float32]
"""What the lower layers make of an image: (1, T, channels)."""
Pixels = NDArray[np.uint8]


class QuickCommittee:
    """Learns from a dataset in folds, and is a TextReader of its source then.

    Every method raises CancelledRunError if the job is cancelled.
    """

    name = "learning"
    ahead = JOINED

    def __init__(self, dataset: Dataset, observer: Observer) -> None:
        self._dataset = dataset
        self._observer = observer
        starter = load_starter(PRESET)
        assert starter is not None  # noqa: S101 - the preset has one
        model = PRESETS[PRESET].build_model(dataset.image, dataset.vocabulary.classes)
        copy_weights(starter, model, dataset.vocabulary)
        cut = model.get_layer(CUT).output
        self._lower = keras.Model(model.inputs[0], cut)
        self._upper = keras.Model(cut, model.get_layer("ctc_loss").input[1])
        self._first = self._upper.get_weights()
        self._optimizer = PRESETS[PRESET].make_optimizer(PRESETS[PRESET].learning_rate)
        self._optimizer.build(self._upper.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        fuse_normalization(self._upper)
        self._see = tf.function(lambda x: self._lower(x, training=False), reduce_retracing=True)
        self._see_varied = tf.function(self._varied, reduce_retracing=True)
        self._say = tf.function(lambda x: self._upper(x, training=False), reduce_retracing=True)
        self._step = tf.function(self._train_step, reduce_retracing=True)
        self._members: list[Weights] = []
        self._seen: dict[str, Columns] = {}
        self._temperature = 1.0

    def learn(self) -> None:
        """Train the networks; afterwards `read` reads with the mean of their weights."""
        dataset = self._dataset
        pixels = self._pixels(list(dataset.train.names))
        self._seen = dict(zip(dataset.train.names, self._columns(pixels), strict=True))
        copies = max(1, min(COPIES, MOST_COPIES // len(pixels)))
        varied = [self._columns(pixels, seed) for seed in range(1, copies + 1)]
        taught = [
            _Lessons([one[row] for one in varied for row in rows], labels * copies)
            for rows, labels in map(self._without, range(len(dataset.folds)))
        ]
        self._members = [self._trained(one, STEPS, seed) for seed, one in enumerate(taught)]
        self._calibrate()
        if not len(dataset.unlabelled):
            return self._join()
        names = list(dataset.unlabelled.names)
        unlabelled = self._pixels(names)
        plain, varied_once = self._columns(unlabelled), self._columns(unlabelled, copies + 1)
        self._seen |= zip(names, plain, strict=True)
        for number, lessons in enumerate(taught):
            self._upper.set_weights(self._members[number])
            more = self._confident(number, plain, varied_once)
            together = _Lessons([*lessons.columns, *more.columns], [*lessons.labels, *more.labels])
            self._members[number] = self._trained(together, STEPS_AFTER, number)
        self._calibrate()
        return self._join()

    def read_confirmed(self) -> dict[str, Reading]:
        """Return what the network reads on each image that has not learned from it, by name."""
        weights = self._upper.get_weights()
        found: dict[str, Reading] = {}
        for fold, member in zip(self._dataset.folds, self._members, strict=True):
            self._upper.set_weights(member)
            names = list(fold.names)
            found |= zip(names, self._read([self._seen[name] for name in names]), strict=True)
        self._upper.set_weights(weights)
        return found

    def read(self, names: Sequence[str]) -> list[Reading]:
        """Read with the mean of the networks' weights."""
        new = [name for name in names if name not in self._seen]
        seen = self._seen | dict(zip(new, self._columns(self._pixels(new)), strict=True))
        return self._read([seen[name] for name in names])

    def _read(self, columns: Sequence[Columns]) -> list[Reading]:
        found = decode(self._output(columns), self._dataset.vocabulary, self._temperature)
        return [
            Reading(one.text, one.confidence, seen[0].mean(axis=0))
            for one, seen in zip(found, columns, strict=True)
        ]

    def _without(self, number: int) -> tuple[list[int], list[str]]:
        """Return rows and labels of the training part without a fold."""
        held_out = set(self._dataset.folds[number].names)
        train = self._dataset.train
        rows = [row for row, name in enumerate(train.names) if name not in held_out]
        return rows, list(train.take(rows).labels)

    def _confident(
        self, number: int, plain: Sequence[Columns], varied: Sequence[Columns]
    ) -> "_Lessons":
        """Return the images that the present network reads with confidence, with its texts.

        Those of its own fold among them, as if they had no label: it is measured on them, and
        would otherwise be surer of the images that it has taught itself.
        """
        own = [self._seen[name] for name in self._dataset.folds[number].names]
        read = decode(self._output([*plain, *own]), self._dataset.vocabulary, self._temperature)
        sure = [
            (columns, one.text)
            for columns, one in zip([*varied, *own], read, strict=True)
            if one.text and one.confidence >= CONFIDENT
        ]
        return _Lessons([columns for columns, _ in sure], [text for _, text in sure])

    def _calibrate(self) -> None:
        outputs, labels = [], []
        for fold, member in zip(self._dataset.folds, self._members, strict=True):
            self._upper.set_weights(member)
            outputs.append(self._output([self._seen[name] for name in fold.names]))
            labels += list(fold.labels)
        self._temperature = fit_temperature(joined(outputs), labels, self._dataset.vocabulary)

    def _join(self) -> None:
        """Take the mean of the networks' weights. (Wortsman et al. 2022, "Model soups".)"""
        self._upper.set_weights(
            [np.mean(each, axis=0) for each in zip(*self._members, strict=True)]
        )

    def _trained(self, lessons: "_Lessons", steps: int, seed: int) -> Weights:
        """Return the weights of the upper layers after so many steps from the starter's."""
        keras.utils.set_random_seed(seed)
        self._upper.set_weights(self._first)
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        longest = max(1, *map(len, lessons.labels))
        classes = encode_labels(lessons.labels, self._dataset.vocabulary, longest)
        if self._dataset.image.direction == "rtl":
            classes = _reversed(classes)
        batches = lessons.batches(np.random.default_rng(seed))
        for step in range(steps):
            self._observer.checkpoint()
            rate = PRESETS[PRESET].learning_rate * _rate(step / steps)
            self._optimizer.learning_rate.assign(rate)
            rows = next(batches)
            self._step(_padded([lessons.columns[row] for row in rows]), classes[rows])
        return list(self._upper.get_weights())

    def _train_step(self, columns: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(ctc_loss(labels, self._upper(columns, training=True)))
        variables = self._upper.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _varied(self, images: Any, seed: Any) -> Any:
        return self._lower(augment(images, PRESETS[PRESET].augmentation, seed), training=False)

    def _pixels(self, names: Sequence[str]) -> list[Pixels]:
        source, spec = self._dataset.source, self._dataset.image
        return list(map_in_threads(lambda name: fit(open_image(source.read(name)), spec), names))

    def _columns(self, pixels: Sequence[Pixels], seed: int | None = None) -> list[Columns]:
        """Return what the lower layers make of images; seed: varied ones, of plain ones if None."""

        def see(rows: Sequence[int]) -> Any:
            batch = to_batch([pixels[row] for row in rows], self._dataset.image)
            if seed is None:
                return self._see(batch)
            return self._see_varied(batch, np.array([seed, rows[0]], np.int32))

        return self._each(see, [one.shape[1] for one in pixels])

    def _output(self, columns: Sequence[Columns]) -> NDArray[np.float32]:
        """Return the upper layers' output in reading order: (N, T of the widest, classes)."""

        def say(rows: Sequence[int]) -> Any:
            return self._say(np.stack([columns[row] for row in rows]))

        found = self._each(say, [one.shape[1] for one in columns])
        image = self._dataset.image
        return joined([in_reading_order(one[np.newaxis], image) for one in found])

    def _each(
        self, function: Callable[[Sequence[int]], Any], widths: Sequence[int]
    ) -> list[NDArray[np.float32]]:
        """Return the function's results for all rows; it gets batches of one width."""
        results: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(widths)
        for width in sorted(set(widths)):
            rows = [row for row, own in enumerate(widths) if own == width]
            for start in range(0, len(rows), READ_BATCH):
                self._observer.checkpoint()
                batch = rows[start : start + READ_BATCH]
                for row, result in zip(batch, function(batch).numpy(), strict=True):
                    results[row] = result
        return results


@dataclass(frozen=True)
class _Lessons:
    """Images to learn from, and their texts."""

    columns: Sequence[Columns]
    labels: list[str]

    def batches(self, chance: np.random.Generator) -> Iterator[list[int]]:
        """Yield rows of similar width for ever; each epoch has every image once."""
        widths = np.array([one.shape[1] for one in self.columns])
        while True:
            order = chance.permutation(max(BATCH, len(widths))) % len(widths)
            epoch = []
            for start in range(0, len(order), BATCH * SIMILAR):
                rows = order[start : start + BATCH * SIMILAR]
                rows = rows[np.argsort(widths[rows], kind="stable")]
                epoch += [rows[at : at + BATCH].tolist() for at in range(0, len(rows), BATCH)]
            yield from (epoch[at] for at in chance.permutation(len(epoch)))


def _rate(done: float) -> float:
    """Return the factor of the learning rate; done: the share of the steps before this one."""
    falling = (done - (1 - FALL)) / FALL
    return float(min(1.0, (done + 0.02) / WARM_UP) * (1 - np.sqrt(max(0.0, falling))))


def _padded(columns: Sequence[Columns]) -> NDArray[np.float32]:
    widest = max(one.shape[1] for one in columns)
    return np.stack([np.pad(one, ((0, 0), (0, widest - one.shape[1]), (0, 0))) for one in columns])


def _reversed(classes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return labels from right to left, as the network goes."""
    turned = classes.copy()
    for row in turned:
        used = row != PADDING
        row[used] = row[used][::-1].copy()
    return turned
