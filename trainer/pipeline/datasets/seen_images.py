"""Which images a version was trained on: a file of hashes in its bundle, one per line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from shared.store.manifest import SEEN_IMAGES
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage

HASH_LENGTH = 16
"""Hexadecimal digits stored of each hash: enough to tell a million images apart."""


def write_seen_images(tables: Sequence[ImageTable], before: frozenset[str], bundle: Path) -> None:
    """Write the hashes of the images that training and the choice of its weights used.

    before: the hashes that the base version lists.
    """
    contents = np.concatenate([images.contents for images in tables])
    own = contents[:, : HASH_LENGTH // 2].copy().view(">u8").ravel()
    hashes = np.union1d(own, np.array([int(one, 16) for one in before], ">u8"))
    with (bundle / SEEN_IMAGES).open("w", encoding="ascii") as file:
        file.writelines(f"{one:0{HASH_LENGTH}x}\n" for one in hashes.tolist())


def read_seen_images(bundle: Path) -> frozenset[str]:
    """Return the hashes that a bundle lists.

    Empty for a bundle without a list: an imported one, or one of an early Readsmith.
    """
    file = bundle / SEEN_IMAGES
    return frozenset(file.read_text(encoding="ascii").split()) if file.exists() else frozenset()


def is_among(image: LabelledImage, seen: frozenset[str]) -> bool:
    """Return whether an image is among those that a bundle lists."""
    return image.content[:HASH_LENGTH] in seen


def unseen(images: Iterable[LabelledImage], bundle: Path) -> list[LabelledImage]:
    """Return the images that the bundle's version was not trained on."""
    seen = read_seen_images(bundle)
    return [image for image in images if not is_among(image, seen)]
