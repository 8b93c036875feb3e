"""Which images are learned from, which choose the weights, and which measure the result."""

import hashlib
from collections import Counter
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.seen_images import is_among
from trainer.schemas.job_request import JobRequest

MIN_SEEN = 5
"""A character seen less often than this is named in a warning."""

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1
MAX_HELD_OUT = 10_000
"""At 99 % exact match, the 95 % interval of so many images is ± 0.2 points."""


def split(
    images: ImageTable, request: JobRequest, seen: frozenset[str] = frozenset()
) -> tuple[ImageTable, ImageTable, ImageTable]:
    """Split into train, validation and test by the seed.

    Each image has its place by its own content, so that leaving some out, or adding some, moves
    hardly any other into another part. One image of every character seen fewer than MIN_SEEN
    times is kept in the training part, since a model cannot read what it never saw. Images that
    the base version has seen come into the test part only where there are no others. limit_images
    bounds training and validation together; the test part is the same with and without it.
    Neither validation nor test has more than MAX_HELD_OUT images: that many tell enough.
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
    places = np.empty(len(images), "V32")
    for index, image in enumerate(images):
        places[index] = hashlib.sha256(f"{seed} {image.content}".encode()).digest()
    # By their bytes, as numbers: NumPy sorts no V32.
    return np.lexsort(places.view(">u8").reshape(-1, 4).T[::-1])


def _holding_rare_characters(images: ImageTable) -> NDArray[np.bool_]:
    counts = Counter(chain.from_iterable(images.labels))
    missing = {character for character, count in counts.items() if count < MIN_SEEN}
    holding = np.zeros(len(images), np.bool_)
    for index, label in enumerate(images.labels):
        if missing & set(label):
            holding[index] = True
            missing -= set(label)
    return holding
