"""Counts a letter that limits leave out as its other case, if they allow that one."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Folds = Sequence[tuple[int, int]]
"""Pairs of classes: a letter, and the same letter in the other case."""


def find_folds(characters: Sequence[str], used: Collection[int]) -> Folds:
    """Return the letters that no text within the limits holds, though it may their other case.

    characters: of the vocabulary, by class; used: the classes that texts within the limits hold.
    """
    classes = {characters[index]: index for index in used}
    return [
        (index, classes[each.swapcase()])
        for index, each in enumerate(characters)
        if each not in classes and each.swapcase() in classes
    ]


def fold_case(probabilities: NDArray[np.float32], folds: Folds) -> NDArray[np.float32]:
    """Return the output (…, classes) with each first letter's probability moved to the second."""
    folded = probabilities.copy()
    for left_out, counted_as in folds:
        folded[..., counted_as] += folded[..., left_out]
        folded[..., left_out] = 0
    return folded
