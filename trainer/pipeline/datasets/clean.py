"""Decodes every labelled image once; drops unreadable images, duplicates and conflicts."""

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
from trainer.pipeline.datasets.labels.labels import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.text_columns import first_occurrences
from trainer.pipeline.datasets.sources.threads import map_in_threads

MODES = ("L", "RGB")
"""Of images that open_image returns."""


@dataclass
class Checked:
    """Usable images, their properties, and the problems of the others."""

    images: ImageTable = field(default_factory=ImageTable)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    brightness: "array[float]" = field(default_factory=lambda: array("d"))
    """The share_of_brightness of each image."""
    problems: list[DatasetProblem] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    """Readable files whose label was corrected by a user."""


@dataclass(frozen=True)
class _Image:
    digest: bytes
    size: tuple[int, int]
    mode: str
    brightness: float


@dataclass
class _Inspected:
    """The properties of the images, in columns: a set of millions needs no object of each."""

    digests: bytearray = field(default_factory=bytearray)
    widths: "array[int]" = field(default_factory=lambda: array("I"))
    heights: "array[int]" = field(default_factory=lambda: array("I"))
    modes: "array[int]" = field(default_factory=lambda: array("B"))
    brightness: "array[float]" = field(default_factory=lambda: array("d"))
    unreadable: dict[int, DatasetProblem] = field(default_factory=dict)

    def add(self, index: int, image: _Image | DatasetProblem) -> None:
        """Append the image at the next index; an unreadable one equals no other."""
        if isinstance(image, DatasetProblem):
            self.unreadable[index] = image
            image = _Image(hashlib.sha256(b"%d" % index).digest(), (0, 0), "L", 0.0)
        self.digests += image.digest
        self.widths.append(image.size[0])
        self.heights.append(image.size[1])
        self.modes.append(MODES.index(image.mode))
        self.brightness.append(image.brightness)

    def digest(self, index: int) -> bytes:
        """Return the hash of the image at an index."""
        return bytes(self.digests[index * HASH_BYTES : (index + 1) * HASH_BYTES])

    def firsts(self) -> NDArray[np.int64]:
        """Return for each image the index of the first with the same pixels."""
        return first_occurrences(np.frombuffer(self.digests, np.uint8).reshape(-1, HASH_BYTES))


def check_images(source: ImageSource, found: FoundLabels) -> Checked:
    """Decode every labelled image once; retain one of each content, a corrected one if any.

    Duplicates would leak the test part into training: public copies of Captcha Images V2 hold
    each image twice.
    """
    names = found.names()
    inspected = _Inspected()
    for index, image in enumerate(map_in_threads(lambda name: _inspect(source, name), names)):
        inspected.add(index, image)
    checked = Checked(problems=list(found.problems))
    conflicting: set[str] = set()
    checked.images = ImageTable(_unique_images(names, found, inspected, checked, conflicting))
    _drop_conflicting(checked, conflicting)
    return checked


def _unique_images(
    names: Sequence[str],
    found: FoundLabels,
    inspected: _Inspected,
    checked: Checked,
    conflicting: set[str],
) -> Iterator[LabelledImage]:
    """Yield the usable images; record the problems of the rest, and conflicting labels."""
    for index, first in enumerate(inspected.firsts()):
        name, other = names[index], names[first]
        if index in inspected.unreadable:
            checked.problems.append(inspected.unreadable[index])
            continue
        if name in found.decided:
            checked.decided.append(name)
        label = found.label(name)
        if other != name:
            valid, decided = found.label(other), other in found.decided
            checked.problems.append(_duplicate(name, label, other, valid, decided))
            if valid != label and not decided:
                conflicting.add(other)
        elif label is None:
            checked.problems.append(DatasetProblem("dropped", name, "The request leaves it out."))
        else:
            yield LabelledImage(name, label, inspected.digest(index).hex())
            checked.sizes[inspected.widths[index], inspected.heights[index]] += 1
            checked.modes[MODES[inspected.modes[index]]] += 1
            checked.brightness.append(inspected.brightness[index])


def _duplicate(
    name: str, label: str | None, other: str, valid: str | None, decided: bool
) -> DatasetProblem:
    """Return the problem of a file with the same image as another, whose label is valid."""
    if valid is None:
        return DatasetProblem(
            "dropped", name, f"Same image as {other}, which the request leaves out."
        )
    if label == valid:
        return DatasetProblem("duplicate", name, f"Same image as {other}.")
    if decided:
        return DatasetProblem("corrected", name, f"Same image as {other}, corrected to {valid!r}.")
    detail = f"Same image as {other}, labelled {valid!r}, not {label!r}."
    return DatasetProblem("conflicting_labels", name, detail)


def _inspect(source: ImageSource, name: str) -> _Image | DatasetProblem:
    try:
        image = open_image(source.read(name))
    except UnreadableEntryError as error:
        return DatasetProblem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return DatasetProblem("unreadable", name, error.message)
    return _Image(_digest(image), image.size, image.mode, share_of_brightness(image))


def content_hash(data: bytes) -> str:
    """Return the hash of an encoded image's pixels, as in LabelledImage.

    Raises ImageRejectedError.
    """
    return _digest(open_image(data)).hex()


def _digest(image: Image.Image) -> bytes:
    # With mode and size: 20x10 and 10x20 pixels can be the same bytes.
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()


def _drop_conflicting(checked: Checked, names: set[str]) -> None:
    # All files of such an image go: nothing tells which of its labels is correct.
    if not names:
        return
    detail = "Another file holds the same image with another label."
    checked.problems += [
        DatasetProblem("conflicting_labels", name, detail) for name in sorted(names)
    ]
    checked.images = checked.images.where(lambda image: image.name not in names)


def split_corrections(checked: Checked, found: FoundLabels) -> tuple[ImageTable, ImageTable]:
    """Return the dataset's own images, and those that corrections add."""
    images, added = checked.images, found.corrections
    if not added:
        return images, images[:0]
    own = images.where(lambda image: image.name not in added)
    return own, images.where(lambda image: image.name in added)
