"""Splits a dataset into training, validation and test part."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.parts.sides import Numbers, Sides, repeated
from trainer.pipeline.datasets.seen_images import is_among
from trainer.schemas.job_request import JobRequest

MIN_SEEN = 5
"""A warning names every character that occurs less often."""

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1
MAX_HELD_OUT = 10_000
"""At 99 % exact match, the 95 % interval of 10,000 images is ± 0.2 points."""
LARGEST_UNIT = 1 / 3
"""A greater share of the images is never held out to keep a group together."""

Rows = NDArray[np.intp]
"""Indices of images."""


@dataclass(frozen=True)
class Split:
    """The three parts, and what the test part shares with the others."""

    parts: tuple[ImageTable, ImageTable, ImageTable]
    """Training, validation and test."""
    alike: int = 0
    """Test images that look like one of the other parts with the same label."""
    grouped: int = 0
    """Test images of a group that the other parts hold, too."""
    folds: tuple[ImageTable, ...] = ()
    """Of the training part, where it is cross-validated: there is no other part then, and the
    other two figures are of images that belong to one of another fold."""


def split(
    images: ImageTable,
    request: JobRequest,
    seen: frozenset[str] = frozenset(),
    sides: Sides | None = None,
) -> Split:
    """Split by the seed; the user's own parts stay as they are.

    An image's rank depends on its own content, so adding or removing images moves hardly any
    other to another part. What belongs together by `sides` goes to one part. One unit of every
    character that occurs in fewer than MIN_SEEN goes to the training part: a model cannot predict
    a character it never saw. Images that the base version was trained on go to the test part only
    where there are no others; images that do not measure are never held out. limit_images bounds
    training and validation together; the test part is the same with and without it. Validation
    and test have at most MAX_HELD_OUT images each.
    """
    sides = sides or Sides.free(len(images))
    order = shuffled(images, request.seed)
    own = sides.parts[order]
    pool, validation, test = (order[own == part] for part in Part)
    rare = _holding_rare_characters(images, pool, sides.units)
    if not len(test):
        measuring = pool[sides.measures[pool]]
        candidates = measuring[~rare[measuring]]
        candidates = candidates if len(candidates) else measuring
        if seen:
            known = [is_among(image, seen) for image in images.take(candidates)]
            candidates = candidates[np.argsort(known, kind="stable")]
        wanted = min(_held_out(len(pool), TEST_SHARE), max(1, len(measuring) // 2))
        test = _hold_out(candidates, rare, pool, sides.units, wanted)
        pool = pool[~np.isin(pool, test)]
    pool = pool[np.argsort(~rare[pool], kind="stable")]  # the rare ones first, for training
    pool, validation = _limited(pool, validation, request.hyperparameters.limit_images)
    if not len(validation):
        wanted = _held_out(len(pool), VALIDATION_SHARE / (1 - TEST_SHARE))
        measuring = pool[::-1][sides.measures[pool[::-1]]]
        chosen = _hold_out(measuring, rare, pool, sides.units, min(wanted, max(1, len(measuring))))
        validation, pool = chosen[::-1], pool[~np.isin(pool, chosen)]
    others = np.concatenate([pool, validation])
    return Split(
        (images.take(pool), images.take(validation), images.take(test)),
        int(np.isin(sides.alike[test], sides.alike[others]).sum()),
        int(np.isin(sides.groups[test], sides.groups[others]).sum()),
    )


def _held_out(images: int, share: float) -> int:
    return min(MAX_HELD_OUT, max(1, round(images * share)))


def _hold_out(
    candidates: Rows, rare: NDArray[np.bool_], pool: Rows, units: Numbers, wanted: int
) -> Rows:
    """Return about as many candidates as wanted, whole units of the pool, in their order.

    A unit that would make them more than twice as many is passed over. If that leaves none, the
    smallest is taken. If that is too large, or too few are not rare, images are taken out of
    units.
    """
    free = candidates[~rare[candidates]]
    if len(free) < wanted:
        return candidates[:wanted]
    sizes = Counter(units[pool].tolist())
    chosen: set[int] = set()
    count = 0
    for unit in units[free].tolist():
        if count >= wanted:
            break
        if unit not in chosen and count + sizes[unit] <= 2 * wanted:
            chosen.add(unit)
            count += sizes[unit]
    if not chosen:
        smallest = min(units[free].tolist(), key=sizes.__getitem__)
        if sizes[smallest] > LARGEST_UNIT * len(pool):
            return candidates[:wanted]
        chosen.add(smallest)
    return free[np.isin(units[free], list(chosen))]


def _limited(train: Rows, validation: Rows, limit: int | str) -> tuple[Rows, Rows]:
    """Return at most so many of both together, in their proportion."""
    total = len(train) + len(validation)
    if not isinstance(limit, int) or limit >= total:
        return train, validation
    held_out = max(1, round(limit * len(validation) / total)) if len(validation) else 0
    return train[: limit - held_out], validation[:held_out]


def shuffled(images: ImageTable, seed: int) -> Rows:
    """Return the images' indices in an order that depends on each one's content and the seed."""
    ranks = np.empty(len(images), "V32")
    for index, content in enumerate(images.contents):
        ranks[index] = hashlib.sha256(f"{seed} {content.tobytes().hex()}".encode()).digest()
    # As four integers each, because NumPy cannot sort V32.
    return np.lexsort(ranks.view(">u8").reshape(-1, 4).T[::-1])


def _holding_rare_characters(images: ImageTable, pool: Rows, units: Numbers) -> NDArray[np.bool_]:
    """Return which images belong to units that the training part needs for their characters."""
    counts = _counted(images.take(pool), units[pool])
    missing = {character for character, count in counts.items() if count < MIN_SEEN}
    holding: set[int] = set()
    for unit, label in zip(units[pool].tolist(), images.take(pool).labels, strict=True):
        if missing & set(label):
            holding.add(unit)
            missing -= set(label)
    return np.isin(units, list(holding))


def _counted(images: ImageTable, units: Numbers) -> Counter[str]:
    """Count the characters; of images that belong together, only those of the fullest."""
    several = repeated(units)
    counts = Counter(chain.from_iterable(images.take(np.flatnonzero(~several)).labels))
    fullest: defaultdict[int, Counter[str]] = defaultdict(Counter)
    together = images.take(np.flatnonzero(several))
    for unit, label in zip(units[several].tolist(), together.labels, strict=True):
        fullest[unit] |= Counter(label)
    for characters in fullest.values():
        counts.update(characters)
    return counts
