"""Splits a dataset into training, validation and test part."""

import hashlib
from collections import Counter
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.seen_images import is_among
from trainer.schemas.job_request import JobRequest

MIN_SEEN = 5
"""A warning names every character that occurs less often."""

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1
MAX_HELD_OUT = 10_000
"""At 99 % exact match, the 95 % interval of 10,000 images is ± 0.2 points."""


def split(
    images: ImageTable, request: JobRequest, seen: frozenset[str] = frozenset()
) -> tuple[ImageTable, ImageTable, ImageTable]:
    """Split into train, validation and test by the seed.

    An image's rank depends on its own content, so adding or removing images moves hardly any
    other to another part. One image of every character that occurs fewer than MIN_SEEN times
    goes to the training part: a model cannot predict a character it never saw. Images that the
    base version was trained on go to the test part only where there are no others. limit_images
    bounds training and validation together; the test part is the same with and without it.
    Validation and test have at most MAX_HELD_OUT images each.
    """
    shuffled = images.take(_shuffled(images, request.seed))
    rare = _holding_rare_characters(shuffled)
    known = np.fromiter((is_among(image, seen) for image in shuffled), np.bool_, len(images))
    candidates = np.argsort(known, kind="stable")
    candidates = candidates[~rare[candidates]]
    test = candidates[: _held_out(len(images), TEST_SHARE)]
    rest = np.setdiff1d(np.arange(len(images)), test, assume_unique=True)
    rest = rest[np.argsort(~rare[rest], kind="stable")]  # the rare ones first, for training
    limit = request.hyperparameters.limit_images
    if isinstance(limit, int):
        rest = rest[:limit]
    train = len(rest) - _held_out(len(rest), VALIDATION_SHARE / (1 - TEST_SHARE))
    return shuffled.take(rest[:train]), shuffled.take(rest[train:]), shuffled.take(test)


def _held_out(images: int, share: float) -> int:
    return min(MAX_HELD_OUT, max(1, round(images * share)))


def _shuffled(images: ImageTable, seed: int) -> NDArray[np.intp]:
    ranks = np.empty(len(images), "V32")
    for index, image in enumerate(images):
        ranks[index] = hashlib.sha256(f"{seed} {image.content}".encode()).digest()
    # As four integers each, because NumPy cannot sort V32.
    return np.lexsort(ranks.view(">u8").reshape(-1, 4).T[::-1])


def _holding_rare_characters(images: ImageTable) -> NDArray[np.bool_]:
    counts = Counter(chain.from_iterable(images.labels))
    missing = {character for character, count in counts.items() if count < MIN_SEEN}
    holding = np.zeros(len(images), np.bool_)
    for index, label in enumerate(images.labels):
        if missing & set(label):
            holding[index] = True
            missing -= set(label)
    return holding
