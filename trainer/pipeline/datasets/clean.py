"""Decodes every labelled image once; drops unreadable images, duplicates and conflicts."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import ImageRejectedError
from shared.recognition.preprocessing import open_image
from trainer.pipeline.datasets.image_table import (
    HASH_BYTES,
    LOOK_BYTES,
    ImageTable,
    LabelledImage,
)
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.parts.near_duplicates import look
from trainer.pipeline.datasets.sources.frames import frames_differ
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable, first_occurrences
from trainer.pipeline.datasets.sources.threads import map_in_threads

MOST_UNLABELLED = 1000
"""Images without a text that are drawn from more, which take time and show little that these do
not."""


@dataclass
class Checked:
    """Usable images, their properties, and the problems of the others."""

    images: ImageTable = field(default_factory=ImageTable)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    problems: list[DatasetProblem] = field(default_factory=list)
    conflicting: set[str] = field(default_factory=set)
    """The first files of images with conflicting labels, which are left out."""
    moving: list[str] = field(default_factory=list)
    """Files with frames or pages unlike the first one, which alone is read."""
    decided: list[str] = field(default_factory=list)
    """Readable files whose label was corrected by a user."""


_Image = tuple[bytes, bytes, int, int, str, bool]
_INSPECTED = np.dtype(
    [
        ("digest", f"V{HASH_BYTES}"),
        ("look", f"V{LOOK_BYTES}"),
        ("width", np.uint32),
        ("height", np.uint32),
        ("mode", "U3"),
        ("moving", np.bool_),
    ]
)
"""An image's properties, in an array of them: a set of millions needs no object of each."""


def check_images(source: ImageSource, found: FoundLabels) -> Checked:
    """Decode every labelled image once; retain one of each content, a corrected one if any.

    Duplicates would leak the test part into training: public copies of Captcha Images V2 hold
    each image twice.
    """
    names = found.names()
    inspected = np.zeros(len(names), _INSPECTED)
    unreadable: dict[int, DatasetProblem] = {}
    for index, image in enumerate(map_in_threads(lambda name: _inspect(source, name), names)):
        if isinstance(image, DatasetProblem):
            unreadable[index] = image
            inspected[index]["digest"] = hashlib.sha256(b"%d" % index).digest()  # equals no other
        else:
            inspected[index] = image
    checked = Checked(problems=list(found.problems))
    checked.images = ImageTable(_unique_images(names, found, inspected, unreadable, checked))
    _drop_conflicting(checked)
    return checked


def _unique_images(
    names: Sequence[str],
    found: FoundLabels,
    inspected: NDArray[np.void],
    unreadable: Mapping[int, DatasetProblem],
    checked: Checked,
) -> Iterator[LabelledImage]:
    """Yield the usable images; record the problems of the rest, and conflicting labels."""
    digests = np.frombuffer(inspected["digest"].tobytes(), np.uint8).reshape(-1, HASH_BYTES)
    for index, first in enumerate(first_occurrences(digests)):
        name, other = names[index], names[first]
        if index in unreadable:
            checked.problems.append(unreadable[index])
            continue
        if name in found.decided:
            checked.decided.append(name)
        label = found.label(name)
        if other != name:
            valid, decided = found.label(other), other in found.decided
            checked.problems.append(_duplicate(name, label, other, valid, decided))
            if valid != label and not decided:
                checked.conflicting.add(other)
        elif label is None:
            checked.problems.append(DatasetProblem("dropped", name, "The request leaves it out."))
        else:
            digest, thumbnail, width, height, mode, moving = inspected[index].item()
            yield LabelledImage(name, label, digest.hex(), (width, height), thumbnail)
            checked.sizes[width, height] += 1
            checked.modes[mode] += 1
            if moving:
                checked.moving.append(name)


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
    """Decode an image; return its row of _INSPECTED, or why it cannot be decoded."""
    try:
        data = source.read(name)
        image = open_image(data)
    except UnreadableEntryError as error:
        return DatasetProblem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return DatasetProblem("unreadable", name, error.message)
    return _digest(image), look(image), *image.size, image.mode, frames_differ(data)


def content_hash(data: bytes) -> str:
    """Return the hash of an encoded image's pixels, as in LabelledImage.

    Raises ImageRejectedError.
    """
    return image_hash(open_image(data))


def image_hash(image: Image.Image) -> str:
    """Return the hash of an opened image's pixels, as in LabelledImage."""
    return _digest(image).hex()


def _digest(image: Image.Image) -> bytes:
    # With mode and size: 20x10 and 10x20 pixels can be the same bytes.
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()


def _drop_conflicting(checked: Checked) -> None:
    # All files of such an image go: nothing tells which of its labels is correct.
    names = checked.conflicting
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


def unlabelled_images(
    source: ImageSource, found: FoundLabels, checked: Checked, seed: int
) -> ImageTable:
    """Return readable images without a text, each content once, labelled "".

    None that a labelled file also holds: a test image would otherwise be learned from.
    """
    labelled = {*found.names(), *found.decided}
    names = sorted({name for name in found.unlabelled if name not in labelled})
    if found.boxes:  # the others are whole photographs
        names = [name for name in names if name in found.boxes]
    if len(names) > MOST_UNLABELLED:
        drawn = np.random.default_rng(seed).choice(len(names), MOST_UNLABELLED, replace=False)
        names = [names[index] for index in sorted(drawn)]
    no_texts = TextTable(Texts(names), Texts("" for _ in names))
    images = check_images(source, FoundLabels(found.source, no_texts)).images
    known = {content.tobytes() for content in checked.images.contents}
    return images.take(
        [row for row, content in enumerate(images.contents) if content.tobytes() not in known]
    )
