"""The images and labels that training is shown, batch by batch. Imports TensorFlow.

Few are decoded once and held. Of many, a window at a time is decoded while it is needed.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.networks.ctc import PADDING
from trainer.pipeline.networks.inference import load_pixels

IN_MEMORY = 1_000_000_000
"""Bytes of decoded images that are kept in memory; what is more is decoded in every epoch."""


WINDOW_BYTES = 64_000_000
"""Decoded images that are shuffled together. Two windows are held: one that training is shown,
one that is being read."""
BLOCK = 64
"""Images side by side that are read together."""

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images (N, H, W, C) and encoded labels (N, longest)."""


class Part(Protocol):
    """Labelled images, given out in batches."""

    def __len__(self) -> int:
        """Return how many images there are."""

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every image once, in batches, as they lie."""

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every image once, in batches; seed and epoch alone decide on the order."""


@dataclass(frozen=True)
class InMemoryPart:
    """Decoded images, uint8 (N, H, W, C), and encoded labels, int32 (N, longest)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pixels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every image once, in batches, as they lie."""
        for start in range(0, len(self.pixels), size):
            yield self.pixels[start : start + size], self.labels[start : start + size]

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every image once, in batches, shuffled as a whole."""
        order = np.random.default_rng((seed, epoch)).permutation(len(self.pixels))
        for start in range(0, len(order), size):
            chosen = np.sort(order[start : start + size])
            yield self.pixels[chosen], self.labels[chosen]


@dataclass(frozen=True)
class Examples:
    """What is trained on, what is rehearsed included, and what chooses the weights."""

    train: Part
    validation: Part

    @classmethod
    def of(cls, dataset: Dataset) -> "Examples":
        """Decode the images of both parts once, unless they are too many to be held."""
        return cls(
            _part(dataset, dataset.train, dataset.rehearsal),
            _part(dataset, dataset.validation, Rehearsal.empty(dataset.image)),
        )


def _part(dataset: Dataset, images: ImageTable, rehearsal: Rehearsal) -> Part:
    count = len(images) + len(rehearsal.labels)
    if count * math.prod(dataset.image.shape) > IN_MEMORY:
        return StreamedPart(dataset, images, rehearsal)
    return InMemoryPart(
        load_pixels(dataset.source, images, dataset.image, further=rehearsal.pixels),
        encode_labels([*images.labels, *rehearsal.labels], dataset.vocabulary),
    )


class StreamedPart:
    """Images of a source, and behind them what is rehearsed."""

    def __init__(self, dataset: Dataset, images: ImageTable, rehearsal: Rehearsal) -> None:
        self._dataset = dataset
        self._images = images
        self._rehearsal = rehearsal
        self._longest = max(map(len, (*rehearsal.labels, max(images.labels, key=len))))

    def __len__(self) -> int:
        return len(self._images) + len(self._rehearsal.labels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every image once, in batches, as they lie."""
        for start in range(0, len(self), size):
            yield self._load(np.arange(start, min(start + size, len(self))))

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every image once, in batches; seed and epoch alone decide on the order."""
        chance = np.random.default_rng((seed, epoch))
        windows = self._windows(size, chance)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._load, windows[0])
            for following in (*windows[1:], None):
                pixels, labels = coming.result()
                if following is not None:
                    coming = ahead.submit(self._load, following)
                order = chance.permutation(len(pixels))
                for start in range(0, len(order), size):
                    chosen = order[start : start + size]
                    yield pixels[chosen], labels[chosen]

    def _windows(self, size: int, chance: np.random.Generator) -> list[NDArray[np.intp]]:
        """Return the places of the images of each window, in rising order."""
        image = self._dataset.image
        fitting = WINDOW_BYTES // (image.height * image.width * image.channels)
        window = max(1, fitting // size) * size  # whole batches
        starts = chance.permutation(np.arange(0, len(self), BLOCK))
        places = (starts[:, np.newaxis] + np.arange(BLOCK)).ravel()
        places = places[places < len(self)]
        return [np.sort(places[at : at + window]) for at in range(0, len(places), window)]

    def _load(self, places: NDArray[np.intp]) -> Batch:
        """Decode the images at these places, which rise."""
        own, rehearsed = np.split(places, [np.searchsorted(places, len(self._images))])
        images, rehearsed = self._images.take(own), rehearsed - len(self._images)
        dataset, rehearsal = self._dataset, self._rehearsal
        pixels = load_pixels(
            dataset.source, images, dataset.image, further=rehearsal.pixels[rehearsed]
        )
        labels = [*images.labels, *(rehearsal.labels[place] for place in rehearsed)]
        return pixels, encode_labels(labels, dataset.vocabulary, self._longest)


def encode_labels(
    labels: Sequence[str], vocabulary: Vocabulary, longest: int | None = None
) -> NDArray[np.int32]:
    """Return classes, int32 (N, longest), PADDING behind the end of shorter labels."""
    width = max(map(len, labels)) if longest is None else longest
    encoded = np.full((len(labels), width), PADDING, np.int32)
    for row, label in zip(encoded, labels, strict=True):
        row[: len(label)] = vocabulary.encode(label)
    return encoded
