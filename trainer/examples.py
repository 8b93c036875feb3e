"""The pictures and labels that training is shown, batch by batch. Imports TensorFlow."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.dataset import Dataset, Rehearsal
from trainer.image_table import ImageTable
from trainer.inference import load_pixels
from trainer.streaming import Batch, StreamedPart, encode_labels

IN_MEMORY = 1_000_000_000
"""Bytes of decoded pictures that are kept in memory; what is more is decoded in every epoch."""


class Part(Protocol):
    """Labelled pictures, given out in batches."""

    def __len__(self) -> int:
        """Return how many pictures there are."""

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every picture once, in batches, as they lie."""

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every picture once, in batches; seed and epoch alone decide on the order."""


@dataclass(frozen=True)
class InMemoryPart:
    """Decoded pictures, uint8 (N, H, W, C), and encoded labels, int32 (N, longest)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.pixels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield every picture once, in batches, as they lie."""
        for start in range(0, len(self.pixels), size):
            yield self.pixels[start : start + size], self.labels[start : start + size]

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Batch]:
        """Yield every picture once, in batches, shuffled as a whole."""
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
        """Decode the pictures of both parts once, unless they are too many to be held."""
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
