"""Decodes every labelled image once, and keeps one of each picture with a label that counts."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from shared.preprocessing import ImageRejectedError, open_image
from trainer.dataset import LabelledImage
from trainer.image_choice import share_of_brightness
from trainer.image_source import ImageSource, UnreadableEntryError
from trainer.labels import FoundLabels, Problem
from trainer.threads import map_in_threads


@dataclass
class Checked:
    """Usable images and what was found out about them."""

    images: list[LabelledImage] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    brightness: list[float] = field(default_factory=list)
    """Of each picture: how much of its contrast is in its brightness."""
    problems: list[Problem] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    """Files that can be read, and whose label somebody has looked at."""


@dataclass(frozen=True)
class _Picture:
    digest: bytes
    size: tuple[int, int]
    mode: str
    brightness: float


def check_pictures(source: ImageSource, found: FoundLabels) -> Checked:
    """Decode every labelled image once; keep one of each content, a decided one if there is."""
    checked = Checked(problems=list(found.problems))
    labels = found.labels | found.decided
    names = [*found.decided, *sorted(labels.keys() - found.decided.keys())]
    first: dict[bytes, str] = {}
    conflicting: set[str] = set()
    pictures = map_in_threads(lambda name: _look_at(source, name), names)
    for name, picture in zip(names, pictures, strict=True):
        if isinstance(picture, Problem):
            checked.problems.append(picture)
            continue
        if name in found.decided:
            checked.decided.append(name)
        label = labels[name]
        other = first.setdefault(picture.digest, name)
        if other != name:
            checked.problems.append(_copy(name, other, labels, other in found.decided))
            if labels[other] != label and other not in found.decided:
                conflicting.add(other)
        elif label is None:
            checked.problems.append(Problem("dropped", name, "The request leaves it out."))
        else:
            checked.images.append(LabelledImage(name, label, picture.digest.hex()))
            checked.sizes[picture.size] += 1
            checked.modes[picture.mode] += 1
            checked.brightness.append(picture.brightness)
    _drop_conflicting(checked, conflicting)
    return checked


def _copy(name: str, other: str, labels: Mapping[str, str | None], decided: bool) -> Problem:
    """Say what becomes of a file with the same picture as another, whose label may be decided."""
    label, right = labels[name], labels[other]
    if right is None:
        return Problem("dropped", name, f"Same picture as {other}, which the request leaves out.")
    if label == right:
        return Problem("duplicate", name, f"Same picture as {other}.")
    if decided:
        return Problem("corrected", name, f"Same picture as {other}, corrected to {right!r}.")
    detail = f"Same picture as {other}, labelled {right!r}, not {label!r}."
    return Problem("conflicting_labels", name, detail)


def _look_at(source: ImageSource, name: str) -> _Picture | Problem:
    try:
        image = open_image(source.read(name))
    except UnreadableEntryError as error:
        return Problem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return Problem("unreadable", name, error.message)
    return _Picture(_digest(image), image.size, image.mode, share_of_brightness(image))


def content_hash(data: bytes) -> str:
    """Return the hash of an encoded picture's pixels, as in LabelledImage; ImageRejectedError."""
    return _digest(open_image(data)).hex()


def _digest(image: Image.Image) -> bytes:
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()


def _drop_conflicting(checked: Checked, names: set[str]) -> None:
    detail = "Another file holds the same picture with another label."
    checked.problems += [Problem("conflicting_labels", name, detail) for name in sorted(names)]
    checked.images = [image for image in checked.images if image.name not in names]


def apart(
    checked: Checked, found: FoundLabels
) -> tuple[list[LabelledImage], tuple[LabelledImage, ...]]:
    """Return the images of the dataset's own, and the corrections."""
    own = [image for image in checked.images if image.name not in found.corrections]
    return own, tuple(image for image in checked.images if image.name in found.corrections)
