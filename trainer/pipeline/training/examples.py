"""The images and labels of training, batch by batch. Imports TensorFlow.

A small set is decoded once and held in memory; a large one is streamed, a window at a time.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.networks.ctc import PADDING
from trainer.pipeline.networks.inference import load_pixels

IN_MEMORY = 1_000_000_000
"""Bytes of decoded images that are held in memory; a larger part is decoded in every epoch, which
adds 6 % to the time of an epoch."""
WINDOW_BYTES = 64_000_000
"""Decoded images that are shuffled together. Two windows are in memory: the one in training and
the one being decoded."""
BLOCK = 64
"""Neighbouring images that are read together: disks read 200 kB faster than single images."""

SIMILAR = 8
"""Batches whose images are sorted by width together, where the width follows the image: each is
as wide as its widest."""

Batch = tuple[list[NDArray[np.uint8]], NDArray[np.int32]]
"""Fitted images (H, W, C) and encoded labels (N, longest)."""


@dataclass(frozen=True)
class Examples:
    """The training part with the rehearsed images, and the validation part."""

    train: "StreamedPart"
    validation: "StreamedPart"

    @classmethod
    def of(cls, dataset: Dataset) -> "Examples":
        """Decode the images of both parts, unless they are too many for memory."""
        return cls(
            _part(dataset, dataset.train, dataset.rehearsal),
            _part(dataset, dataset.validation, Rehearsal()),
        )


def _part(dataset: Dataset, images: ImageTable, rehearsal: Rehearsal) -> "StreamedPart":
    count = len(images) + len(rehearsal.labels)
    large = count * _bytes(dataset.image) > IN_MEMORY
    return (StreamedPart if large else InMemoryPart)(dataset, images, rehearsal)


def _bytes(image: ImageSpec) -> int:
    """Return the bytes of the largest fitted image."""
    return image.height * image.width * image.channels


class StreamedPart:
    """Images of a source, followed by the rehearsed ones."""

    def __init__(self, dataset: Dataset, images: ImageTable, rehearsal: Rehearsal) -> None:
        self._dataset = dataset
        self._images = images
        self._rehearsal = rehearsal
        self._longest = max(1, *map(len, (*rehearsal.labels, max(images.labels, key=len))))

    def __len__(self) -> int:
        return len(self._images) + len(self._rehearsal.labels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every image once, in batches, in stored order."""
        for start in range(0, len(self), size):
            yield self._load(np.arange(start, min(start + size, len(self))))

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every image once, in batches; the order depends on seed and epoch alone."""
        chance = np.random.default_rng((seed, epoch))
        for pixels, labels in self._decoded_windows(size, chance):
            order = chance.permutation(len(pixels))
            widths = np.array([one.shape[1] for one in pixels])
            for chosen in _batches(order, widths, size, chance):
                yield [pixels[row] for row in chosen], labels[chosen]

    def _decoded_windows(self, size: int, chance: np.random.Generator) -> Iterator[Batch]:
        windows = self._windows(size, chance)
        # The next window is decoded while training runs, which releases the interpreter's lock.
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._load, windows[0])
            for following in windows[1:]:
                window = coming.result()
                coming = ahead.submit(self._load, following)
                yield window
            yield coming.result()

    def _windows(self, size: int, chance: np.random.Generator) -> list[NDArray[np.intp]]:
        """Return the rows of each window, in rising order."""
        fitting = WINDOW_BYTES // _bytes(self._dataset.image)
        window = max(1, fitting // size) * size  # whole batches
        starts = chance.permutation(np.arange(0, len(self), BLOCK))
        rows = (starts[:, np.newaxis] + np.arange(BLOCK)).ravel()
        rows = rows[rows < len(self)]
        return [np.sort(rows[at : at + window]) for at in range(0, len(rows), window)]

    def _load(self, rows: NDArray[np.intp]) -> Batch:
        """Decode the images at these rows, which must be in rising order."""
        own, rehearsed = np.split(rows, [np.searchsorted(rows, len(self._images))])
        images, rehearsed = self._images.take(own), rehearsed - len(self._images)
        dataset, rehearsal = self._dataset, self._rehearsal
        pixels = load_pixels(dataset.source, images, dataset.image)
        pixels += [rehearsal.pixels[row] for row in rehearsed]
        labels = [*images.labels, *(rehearsal.labels[row] for row in rehearsed)]
        return pixels, encode_labels(labels, dataset.vocabulary, self._longest)


class InMemoryPart(StreamedPart):
    """Images that are decoded once, and shuffled as a whole."""

    def __init__(self, dataset: Dataset, images: ImageTable, rehearsal: Rehearsal) -> None:
        super().__init__(dataset, images, rehearsal)
        self._whole = super()._load(np.arange(len(self)))

    def _decoded_windows(self, size: int, chance: np.random.Generator) -> Iterator[Batch]:
        yield self._whole

    def _load(self, rows: NDArray[np.intp]) -> Batch:
        pixels, labels = self._whole
        return [pixels[row] for row in rows], labels[rows]


def _batches(
    order: NDArray[np.intp], widths: NDArray[np.int_], size: int, chance: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each batch, which are of similar width and in rising order."""
    alike = len(np.unique(widths)) == 1
    together = size if alike else size * SIMILAR
    for start in range(0, len(order), together):
        rows = order[start : start + together]
        rows = rows[np.argsort(widths[rows], kind="stable")]
        starts = np.arange(0, len(rows), size)
        for at in starts if alike else chance.permutation(starts):
            yield np.sort(rows[at : at + size])


def encode_labels(labels: Sequence[str], vocabulary: Vocabulary, longest: int) -> NDArray[np.int32]:
    """Return classes, int32 (N, longest), PADDING after shorter labels."""
    encoded = np.full((len(labels), longest), PADDING, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = vocabulary.encode(label)
    return encoded
