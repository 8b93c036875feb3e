"""Which images a version was trained on: a file of hashes in its bundle, one a line."""

from collections.abc import Iterable
from pathlib import Path

from shared.manifest import SEEN_IMAGES
from trainer.dataset import LabelledImage

HASH_LENGTH = 16
"""Hexadecimal digits kept of each hash: plenty to tell a million images apart."""


def write_seen_images(images: Iterable[LabelledImage], bundle: Path) -> None:
    """Write the hashes of the images that training and its choices have seen."""
    hashes = sorted(image.content[:HASH_LENGTH] for image in images)
    (bundle / SEEN_IMAGES).write_text("".join(f"{one}\n" for one in hashes), encoding="ascii")


def unseen(images: Iterable[LabelledImage], bundle: Path) -> list[LabelledImage]:
    """Return the images that the bundle's version was not trained on.

    All of them if the bundle does not say: it was imported, or made by an early Readsmith.
    """
    file = bundle / SEEN_IMAGES
    seen = set(file.read_text(encoding="ascii").split()) if file.exists() else set()
    return [image for image in images if image.content[:HASH_LENGTH] not in seen]
