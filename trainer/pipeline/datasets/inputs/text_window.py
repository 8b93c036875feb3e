"""Finds the part of the images in which the starter tells their labels apart.

Contrast does not tell text from captions, frames and other print that all images share. The labels
do: where an image shows its own, the starter finds it likelier than those of other images. Neither
needs the starter to be right on a single image, nor that the images are aligned to the pixel.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.likelihood import log_likelihoods
from shared.recognition.preprocessing import open_image, to_input
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import ONNX_MODEL
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads

SAMPLE = 32
FIRST = 8
"""Of these, those that all windows are tried on; the best few are tried on all others."""
BEST = 6
AS_GOOD = 0.85
"""Of windows with this share of the greatest evidence, the largest cuts the least."""
KNOWN = 0.5
"""Share of a label's characters that the starter must know."""
ENOUGH = 24
"""Images with such a label."""
SAME_PLACE = 1.5
"""Images whose aspect ratios differ by more have no place in common."""
LARGEST = 640
"""Pixels of the longer side at which images are examined."""

SHARES = (2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 12)
"""Of a side, that a window takes; its neighbour lies half a window further."""
LEAST = 16
"""Pixels of a side in a window: text smaller than that is not legible."""
WIDEST = 768
"""Columns of the starter's input."""
PITCH = 8
"""Columns a character at least, of the longest label."""
OTHERS = (1, 3, 5)
"""Each image's own label is compared with those of the images so far behind it."""

LARGEST_EVIDENCE = 30.0
"""Nats a character."""
SURE = 3.0
"""A window is better if the mean of the differences is that many standard errors above 0."""
LOSS, FEW = 1.0, 0.05
"""No window in which more than FEW of the images lose so many nats a character: it cuts texts."""
MARGIN = 0.15
"""Left around the best window, in shares of its own extent."""
WORTHWHILE = 0.85
"""A window that takes more of the width and of the height than this is not cut out."""

WHOLE = Region(left=0.0, top=0.0, right=1.0, bottom=1.0)
Evidence = NDArray[np.float64]
"""For each image, by how many nats a character its label is likelier than others': (N,)."""


@dataclass(frozen=True)
class TextWindow:
    """Where the labels are, and how clearly the starter tells them apart there."""

    region: Region
    nats: float
    """A character, mean over the images."""
    nats_whole: float
    """The same where it sees whole images."""


def find_text_window(source: ImageSource, images: Sequence[LabelledImage]) -> TextWindow | None:
    """Search a sample of a set's images; None if no part surely serves better than all of it."""
    low, high = np.quantile(
        [width / height for width, height in (image.size for image in images)], (0.05, 0.95)
    )
    if high / low > SAME_PLACE:
        return None
    starter = _Starter()
    known = [image for image in images if starter.knows(image.label)]
    if len(known) < ENOUGH:
        return None
    chosen = np.unique(np.linspace(0, len(known) - 1, min(SAMPLE, len(known))).astype(int))
    sample = [known[int(index)] for index in chosen]
    return _search(
        _Examined(
            starter,
            list(map_in_threads(lambda image: _reduced(source.read(image.name)), sample)),
            [starter.classes(image.label) for image in sample],
        )
    )


def _reduced(data: bytes) -> Image.Image:
    image = open_image(data).convert("L")
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return image


class _Starter:
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
class _Examined:
    starter: _Starter
    images: Sequence[Image.Image]
    labels: Sequence[list[int]]

    def every(self, step: int) -> "_Examined":
        """Return one image of so many."""
        return replace(self, images=self.images[::step], labels=self.labels[::step])

    def without(self, step: int) -> "_Examined":
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


def _search(sample: _Examined) -> TextWindow | None:
    """Narrow the window down along the height, along the width, and along the height again."""
    region = WHOLE
    for along in (1, 0, 1):
        narrower = _narrowed(region, along, sample)
        if narrower is None and along == 0:
            break
        region = narrower or region
    if region == WHOLE or not _is_worthwhile(region := _with_margin(region)):
        return None
    found, whole = sample.evidence(region), sample.evidence(WHOLE)
    return TextWindow(region, float(found.mean()), float(whole.mean()))


def _narrowed(region: Region, along: int, sample: _Examined) -> Region | None:
    """Return the best window of a region along a side, if images of its own are sure of it."""
    first, others = sample.every(SAMPLE // FIRST), sample.without(SAMPLE // FIRST)
    windows = list(_windows(region, along, sample.size))
    windows.sort(key=lambda each: float(first.evidence(each).mean()), reverse=True)
    found = {each: others.evidence(each) for each in windows[:BEST]}
    most = max((float(each.mean()) for each in found.values()), default=0.0)
    good = (each for each in found if found[each].mean() >= AS_GOOD * most)
    best = max(good, key=_extent, default=region)
    if best == region or not _surely_better(found[best], others.evidence(region)):
        return None
    return best if others.shows_whole_texts(best) else None


def _windows(region: Region, along: int, size: tuple[float, float]) -> Iterator[Region]:
    """Yield windows of a region, the largest first; along: 0 for the width, 1 for the height."""
    names = ("left", "right") if along == 0 else ("top", "bottom")
    begin, end = (getattr(region, name) for name in names)
    for share in SHARES:
        extent = share * (end - begin)
        if extent * size[along] < LEAST:
            return
        for at in np.linspace(begin, end - extent, math.ceil(2 * (1 - share) / share) + 1):
            sides = dict(zip(names, (float(at), float(at + extent)), strict=True))
            yield region.model_copy(update=sides)


def _extent(region: Region) -> float:
    return (region.right - region.left) * (region.bottom - region.top)


def _behind(labels: Sequence[list[int]], places: int) -> list[list[int]]:
    return [labels[place - places] for place in range(len(labels))]


def _surely_better(found: Evidence, before: Evidence) -> bool:
    gain = found - before
    error = float(gain.std()) / math.sqrt(len(gain))
    return bool(gain.mean() > SURE * error and (gain < -LOSS).mean() <= FEW)


def _with_margin(region: Region) -> Region:
    across, down = MARGIN * (region.right - region.left), MARGIN * (region.bottom - region.top)
    return Region(
        left=round(max(0.0, region.left - across), 4),
        top=round(max(0.0, region.top - down), 4),
        right=round(min(1.0, region.right + across), 4),
        bottom=round(min(1.0, region.bottom + down), 4),
    )


def _is_worthwhile(region: Region) -> bool:
    return min(region.right - region.left, region.bottom - region.top) <= WORTHWHILE
