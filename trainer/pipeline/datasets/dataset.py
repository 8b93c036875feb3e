"""A checked dataset, split into three parts, and the base version of its training."""

import hashlib
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.recognition.image_spec import ImageSpec
from shared.recognition.lines.spec import DetectorSpec
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import ImageSizes
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.sources.marked.photographs import Photographs
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.schemas.job_request import PresetName


@dataclass(frozen=True)
class Rehearsal:
    """Further images to train on, uint8 (H, W, C) each, and their labels.

    Sampled from an earlier training part, or read by the networks before.
    """

    pixels: tuple[NDArray[np.uint8], ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A hash of the labels, which tell one sample from another."""
        return hashlib.sha256("\n".join(self.labels).encode()).hexdigest()

    def without(self, images: Set[bytes]) -> "Rehearsal":
        """Return the sample without the images whose pixels are these bytes."""
        rest = [i for i, pixels in enumerate(self.pixels) if pixels.tobytes() not in images]
        return Rehearsal(tuple(self.pixels[i] for i in rest), tuple(self.labels[i] for i in rest))


@dataclass(frozen=True)
class Base:
    """The weights that training starts from, and their model's image spec and vocabulary."""

    name: str
    """model/version, or "starter"."""
    image: ImageSpec
    vocabulary: Vocabulary
    weights: dict[str, list[Any]]
    """The arrays of each layer, by the layer's name; the output layer comes last."""
    seen: frozenset[str]
    """Hashes of the images that it was trained on, as in its bundle."""
    rehearsal: Rehearsal
    """The sampled images that training from this base also trains on."""
    preset: PresetName | None = None
    """Of its network."""


@dataclass(frozen=True)
class LineDetector:
    """A detector that has learned from a dataset, and how it does on the test part."""

    folder: Path
    """Holds its files."""
    spec: DetectorSpec
    lines: ImageSource
    """The images as they are marked, not as it finds them."""
    missed: ImageTable
    """Test images in which it finds nothing."""
    overlaps: tuple[float, ...]
    """Intersection over union of each line of the test part with what it finds."""


@dataclass(frozen=True)
class Dataset:
    """Usable images in three parts, and how they become inputs."""

    source: ImageSource
    image: ImageSpec
    vocabulary: Vocabulary
    train: ImageTable
    validation: ImageTable
    """Chooses the epoch whose weights are published."""
    test: ImageTable
    """Measured once, after training; no choice depends on it."""
    seen: frozenset[str]
    """Hashes of the images that the base version was trained on."""
    rehearsal: Rehearsal
    """Of the base version; trained on together with the training part."""
    median_height: float
    """Of the images, in pixels."""
    sizes: ImageSizes
    folds: tuple[ImageTable, ...]
    """Of the training part, where it is cross-validated: the other two parts are empty then."""
    unlabelled: ImageTable
    """Images of the same source without a text."""
    summary: dict[str, Any]
    """The result of the check, JSON; shown in the job and by `readsmith datasets check`."""
    is_fold: bool = False
    """Whether the validation part chooses nothing, but measures."""
    photographs: Photographs | None = None
    """That the lines are cut out of, where a detector can learn from them."""
    detector: LineDetector | None = None
    """By which the lines are cut out; None where they are cut as they are marked."""

    @property
    def measured(self) -> ImageTable:
        """The images that tell how good the model is: the test part, or all folds in turn."""
        return reduce(add, self.folds, self.test)

    def without_fold(self, number: int) -> "Dataset":
        """Return the dataset whose training part lacks a fold, which is its validation part."""
        held_out = set(self.folds[number].names)
        rest = self.train.where(lambda image: image.name not in held_out)
        return replace(self, train=rest, validation=self.folds[number], folds=(), is_fold=True)

    @property
    def labels(self) -> Iterator[str]:
        """All labels, part by part."""
        return chain(self.train.labels, self.validation.labels, self.test.labels)

    def served_file(self, name: str) -> tuple[str, bytes]:
        """Return the name and the bytes of what a client would send of an image of the dataset."""
        if self.detector is None or self.photographs is None:
            return name, self.source.read(name)
        file = self.photographs.file(name)
        return file, self.photographs.source.read(file)

    @property
    def fingerprint(self) -> str:
        """A hash of the images and labels, part by part."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            digest.update(b"%d\n" % len(part))
            for image in part:
                digest.update(f"{image.content} {image.label}\n".encode())
        return digest.hexdigest()
