"""Divides a small dataset into folds, so that no label is spent on measuring alone."""

from collections import defaultdict

import numpy as np

from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.parts.sides import Numbers, Sides
from trainer.pipeline.datasets.parts.split import LARGEST_UNIT, Split, shuffled
from trainer.schemas.job_request import JobRequest

FOLDS = 4


def fold(images: ImageTable, request: JobRequest, sides: Sides) -> Split:
    """Return all images as training part, and FOLDS folds of those of it that measure.

    Folds are of about the same size. What belongs together by `sides` goes to one fold, unless
    that leaves a fold too large or empty. limit_images bounds all of them together; fewer than
    FOLDS images are a fold each.
    """
    order = shuffled(images, request.seed)
    limit = request.hyperparameters.limit_images
    if isinstance(limit, int):
        order = order[:limit]
    measuring = sides.measures[order]
    order, others = order[measuring], order[~measuring]
    units: defaultdict[int, list[int]] = defaultdict(list)
    for row, unit in zip(order.tolist(), sides.units[order].tolist(), strict=True):
        units[unit].append(row)
    together = sorted(units.values(), key=len, reverse=True)
    count = min(FOLDS, len(order))
    if len(together) < count or len(together[0]) > LARGEST_UNIT * len(order):
        together = [[row] for row in order.tolist()]
    chosen: list[list[int]] = [[] for _ in range(count)]
    for unit in together:
        min(chosen, key=len).extend(unit)
    folds = tuple(images.take(rows) for rows in chosen)
    whole = images.take(np.concatenate([*(np.array(rows, np.intp) for rows in chosen), others]))
    nothing = images.take(slice(0, 0))
    return Split(
        (whole, nothing, nothing),
        _divided(sides.alike, chosen),
        _divided(sides.groups, chosen),
        folds,
    )


def _divided(numbers: Numbers, folds: list[list[int]]) -> int:
    """Count the images that share their number with one of another fold."""
    where: defaultdict[int, set[int]] = defaultdict(set)
    for number, rows in enumerate(folds):
        for row in rows:
            where[int(numbers[row])].add(number)
    return sum(len(where[int(numbers[row])]) > 1 for rows in folds for row in rows)
