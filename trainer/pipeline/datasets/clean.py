"""Decodes every labelled image once, and keeps one of each image with a label that counts."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import ImageRejectedError
from shared.recognition.preprocessing import open_image
from trainer.pipeline.datasets.image_spec import share_of_brightness
from trainer.pipeline.datasets.image_table import HASH_BYTES, ImageTable, LabelledImage
from trainer.pipeline.datasets.labels.labels import FoundLabels, Problem
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.text_columns import first_occurrences
from trainer.pipeline.datasets.sources.threads import map_in_threads

MODES = ("L", "RGB")
"""Of images as open_image gives them."""


@dataclass
class Checked:
    """Usable images and what was found out about them."""

    images: ImageTable = field(default_factory=ImageTable)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    brightness: "array[float]" = field(default_factory=lambda: array("d"))
    """Of each image: how much of its contrast is in its brightness."""
    problems: list[Problem] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    """Files that can be read, and whose label somebody has looked at."""


@dataclass(frozen=True)
class _Image:
    digest: bytes
    size: tuple[int, int]
    mode: str
    brightness: float


@dataclass
class _Looked:
    """What the images are like, in columns."""

    digests: bytearray = field(default_factory=bytearray)
    widths: "array[int]" = field(default_factory=lambda: array("I"))
    heights: "array[int]" = field(default_factory=lambda: array("I"))
    modes: "array[int]" = field(default_factory=lambda: array("B"))
    brightness: "array[float]" = field(default_factory=lambda: array("d"))
    unreadable: dict[int, Problem] = field(default_factory=dict)

    def add(self, place: int, image: _Image | Problem) -> None:
        """Take down the image at a place, the next one; one that is unreadable is like none."""
        if isinstance(image, Problem):
            self.unreadable[place] = image
            image = _Image(hashlib.sha256(b"%d" % place).digest(), (0, 0), "L", 0.0)
        self.digests += image.digest
        self.widths.append(image.size[0])
        self.heights.append(image.size[1])
        self.modes.append(MODES.index(image.mode))
        self.brightness.append(image.brightness)

    def digest(self, place: int) -> bytes:
        """Return the hash of the image at a place."""
        return bytes(self.digests[place * HASH_BYTES : (place + 1) * HASH_BYTES])

    def firsts(self) -> NDArray[np.int64]:
        """Return for each image the place of the first that is equal to it."""
        return first_occurrences(np.frombuffer(self.digests, np.uint8).reshape(-1, HASH_BYTES))


def check_images(source: ImageSource, found: FoundLabels) -> Checked:
    """Decode every labelled image once; keep one of each content, a decided one if there is."""
    names = found.names()
    looked = _Looked()
    for place, image in enumerate(map_in_threads(lambda name: _look_at(source, name), names)):
        looked.add(place, image)
    checked = Checked(problems=list(found.problems))
    conflicting: set[str] = set()
    checked.images = ImageTable(_keep(names, found, looked, checked, conflicting))
    _drop_conflicting(checked, conflicting)
    return checked


def _keep(
    names: Sequence[str],
    found: FoundLabels,
    looked: _Looked,
    checked: Checked,
    conflicting: set[str],
) -> Iterator[LabelledImage]:
    """Yield what is kept; note why the rest is not, and the names of images with two labels."""
    for place, first in enumerate(looked.firsts()):
        name, other = names[place], names[first]
        if place in looked.unreadable:
            checked.problems.append(looked.unreadable[place])
            continue
        if name in found.decided:
            checked.decided.append(name)
        label = found.label(name)
        if other != name:
            right, decided = found.label(other), other in found.decided
            checked.problems.append(_copy(name, label, other, right, decided))
            if right != label and not decided:
                conflicting.add(other)
        elif label is None:
            checked.problems.append(Problem("dropped", name, "The request leaves it out."))
        else:
            yield LabelledImage(name, label, looked.digest(place).hex())
            checked.sizes[looked.widths[place], looked.heights[place]] += 1
            checked.modes[MODES[looked.modes[place]]] += 1
            checked.brightness.append(looked.brightness[place])


def _copy(name: str, label: str | None, other: str, right: str | None, decided: bool) -> Problem:
    """Say what becomes of a file with the same image as another, whose label may be decided."""
    if right is None:
        return Problem("dropped", name, f"Same image as {other}, which the request leaves out.")
    if label == right:
        return Problem("duplicate", name, f"Same image as {other}.")
    if decided:
        return Problem("corrected", name, f"Same image as {other}, corrected to {right!r}.")
    detail = f"Same image as {other}, labelled {right!r}, not {label!r}."
    return Problem("conflicting_labels", name, detail)


def _look_at(source: ImageSource, name: str) -> _Image | Problem:
    try:
        image = open_image(source.read(name))
    except UnreadableEntryError as error:
        return Problem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return Problem("unreadable", name, error.message)
    return _Image(_digest(image), image.size, image.mode, share_of_brightness(image))


def content_hash(data: bytes) -> str:
    """Return the hash of an encoded image's pixels, as in LabelledImage; ImageRejectedError."""
    return _digest(open_image(data)).hex()


def _digest(image: Image.Image) -> bytes:
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()


def _drop_conflicting(checked: Checked, names: set[str]) -> None:
    if not names:
        return
    detail = "Another file holds the same image with another label."
    checked.problems += [Problem("conflicting_labels", name, detail) for name in sorted(names)]
    checked.images = checked.images.where(lambda image: image.name not in names)


def split_corrections(checked: Checked, found: FoundLabels) -> tuple[ImageTable, ImageTable]:
    """Return the images of the dataset's own, and the corrections."""
    images, added = checked.images, found.corrections
    if not added:
        return images, images[:0]
    own = images.where(lambda image: image.name not in added)
    return own, images.where(lambda image: image.name in added)
