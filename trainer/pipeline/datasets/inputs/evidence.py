"""How clearly the starter tells the labels of images apart: what a part of an image is worth.

Where an image shows its own label, the starter finds it likelier than those of other images. It
need not be right on a single image for that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.likelihood import log_likelihoods
from shared.recognition.preprocessing import to_input
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import ONNX_MODEL

WIDEST = 768
"""Columns of the starter's input."""
PITCH = 8
"""Columns a character at least, of the longest label."""
OTHERS = (1, 3, 5)
"""Each image's own label is compared with those of the images so far behind it."""

LARGEST_EVIDENCE = 30.0
"""Nats a character."""
SURE = 3.0
"""Images are better if the mean of the differences is that many standard errors above 0."""
LOSS, FEW = 1.0, 0.05
"""And if no more than FEW of them lose so many nats a character: their texts are cut."""

KNOWN = 0.5
"""Share of a label's characters that the starter must know."""
LARGEST = 640
"""Pixels of the longer side at which images are examined."""

Evidence = NDArray[np.float64]
"""For each image, by how many nats a character its label is likelier than others': (N,)."""


def reduced(image: Image.Image) -> Image.Image:
    """Return an image as it is examined: gray, and not larger than it need be."""
    image = image.convert("L")
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return image


class StarterModel:
    """The starter as it is served, for images of any width."""

    def __init__(self) -> None:
        store, name = builtin_store(), STARTERS["conv"]  # the faster one
        version = store.versions(name)[-1]
        manifest = store.manifest(name, version)
        self.height = manifest.image.height
        self._vocabulary: Vocabulary = manifest.model_vocabulary()
        graph = store.folder(name, version) / ONNX_MODEL
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def classes(self, label: str) -> list[int]:
        """Return the classes of those characters of a label that it knows."""
        known = self._vocabulary.characters
        return [index for each in label if each in known for index in self._vocabulary.encode(each)]

    def knows(self, label: str) -> bool:
        """Return whether it knows enough of a label to tell it apart."""
        return len(self.classes(label)) > KNOWN * len(label)

    def probabilities(self, inputs: NDArray[np.float32], classes: set[int]) -> NDArray[np.float32]:
        """Return the softmax over some classes and the blank, zero for all others: (N, T, C)."""
        [found] = self._session.run(None, {self._session.get_inputs()[0].name: inputs})
        allowed = np.zeros(found.shape[2], np.float32)
        allowed[[*classes, -1]] = 1
        found = found * allowed
        return np.asarray(found / np.maximum(found.sum(axis=2, keepdims=True), 1e-9), np.float32)


@dataclass(frozen=True)
class _Output:
    """What the starter says of some images: the places of those of one width, and its softmax."""

    parts: Sequence[tuple[list[int], NDArray[np.float32]]]

    def likelihoods(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the logarithm of the probability of each image's text: (N,)."""
        found = np.zeros(len(texts))
        for places, probabilities in self.parts:
            found[places] = log_likelihoods(probabilities, [texts[place] for place in places])
        return found


@dataclass(frozen=True)
class Examined:
    """Images, and their labels as classes of the starter."""

    starter: StarterModel
    images: Sequence[Image.Image]
    labels: Sequence[list[int]]

    def every(self, step: int) -> "Examined":
        """Return one image of so many."""
        return replace(self, images=self.images[::step], labels=self.labels[::step])

    def without(self, step: int) -> "Examined":
        """Return the others."""
        rest = [place for place in range(len(self.images)) if place % step]
        images, labels = [self.images[i] for i in rest], [self.labels[i] for i in rest]
        return replace(self, images=images, labels=labels)

    @cached_property
    def size(self) -> tuple[float, float]:
        """Median width and height of the images."""
        width, height = np.median([image.size for image in self.images], axis=0).tolist()
        return width, height

    def evidence(self, region: Region) -> Evidence:
        """Compare each image's own label with those of others."""
        output = self._output(region)
        texts = [self.labels, *(_behind(self.labels, places) for places in OTHERS)]
        own, *others = (
            output.likelihoods(each) / np.array([len(text) for text in each]) for each in texts
        )
        # A label without a path is no evidence of any size.
        gain = own - np.mean(others, axis=0)
        return np.asarray(np.clip(gain, -LARGEST_EVIDENCE, LARGEST_EVIDENCE), np.float64)

    def shows_whole_texts(self, region: Region) -> bool:
        """Return whether most labels are likelier there than either half: one line of two."""
        output = self._output(region)
        first = output.likelihoods([label[: len(label) // 2] for label in self.labels])
        second = output.likelihoods([label[len(label) // 2 :] for label in self.labels])
        whole = output.likelihoods(self.labels)
        return bool((whole > np.maximum(first, second)).mean() > 0.5)

    def _output(self, region: Region) -> _Output:
        spec = self._spec(region)
        inputs = [to_input(image, spec) for image in self.images]
        classes = {each for label in self.labels for each in label}
        parts = []
        for width in {each.shape[1] for each in inputs}:
            places = [place for place, each in enumerate(inputs) if each.shape[1] == width]
            batch = np.stack([inputs[place] for place in places])
            parts.append((places, self.starter.probabilities(batch, classes)))
        return _Output(parts)

    def _spec(self, region: Region) -> ImageSpec:
        width = self.size[0] * (region.right - region.left)
        height = self.size[1] * (region.bottom - region.top)
        columns = PITCH * max(map(len, self.labels))
        return ImageSpec(
            height=self.starter.height,
            width=WIDEST,
            channels=1,
            resize="follow",
            standardize=True,
            region=region,
            widening=float(np.clip(columns / (width / height * self.starter.height), 1, 16)),
        )


def _behind(labels: Sequence[list[int]], places: int) -> list[list[int]]:
    return [labels[place - places] for place in range(len(labels))]


def surely_better(found: Evidence, before: Evidence) -> bool:
    """Return whether images have more evidence than before, and hardly one has lost much."""
    gain = found - before
    error = float(gain.std()) / math.sqrt(len(gain))
    return bool(gain.mean() > SURE * error and (gain < -LOSS).mean() <= FEW)
