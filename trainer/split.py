"""Which images are learned from, which choose the weights, and which measure the result."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from trainer.dataset import LabelledImage
from trainer.requests import JobRequest
from trainer.seen_images import is_among

MIN_SEEN = 5
"""A character seen less often than this is named in a warning."""

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1


def split(
    images: Sequence[LabelledImage], request: JobRequest, seen: frozenset[str] = frozenset()
) -> tuple[tuple[LabelledImage, ...], ...]:
    """Split into train, validation and test by the seed.

    Each image has its place by its own content, so that leaving some out, or adding some, moves
    hardly any other into another part. One image of every character seen fewer than MIN_SEEN
    times is kept in the training part, since a model cannot read what it never saw. Images that
    the base version has seen come into the test part only where there are no others. limit_images
    bounds training and validation together; the test part is the same with and without it.
    """
    shuffled = sorted(images, key=lambda image: _place(image, request.seed))
    test_count = max(1, round(len(images) * TEST_SHARE))
    rare = _holding_rare_characters(shuffled)
    candidates = [image for image in shuffled if image.name not in rare]
    candidates.sort(key=lambda image: is_among(image, seen))  # stable
    test = candidates[:test_count]
    in_test = {image.name for image in test}
    rest = [image for image in shuffled if image.name not in in_test]
    rest.sort(key=lambda image: image.name not in rare)  # stable: the rare ones first, for training
    limit = request.hyperparameters.limit_images
    if isinstance(limit, int):
        rest = rest[:limit]
    train_count = len(rest) - max(1, round(len(rest) * VALIDATION_SHARE / (1 - TEST_SHARE)))
    return tuple(rest[:train_count]), tuple(rest[train_count:]), tuple(test)


def _place(image: LabelledImage, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {image.content}".encode()).digest()


def _holding_rare_characters(images: Sequence[LabelledImage]) -> set[str]:
    counts = Counter(character for image in images for character in image.label)
    missing = {character for character, count in counts.items() if count < MIN_SEEN}
    names = set()
    for image in images:
        if missing & set(image.label):
            names.add(image.name)
            missing -= set(image.label)
    return names
