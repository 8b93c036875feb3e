"""Locates the characters of a text along a model's time steps."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def best_alignment(
    probabilities: NDArray[np.float32], classes: Sequence[int]
) -> list[tuple[int, int]]:
    """Return each character's first step and the one after its last on the likeliest path.

    probabilities: softmax output of one image, (T, classes), the blank last. The text must
    have a path. (Viterbi on the states of Graves et al. 2006, section 4.1.)
    """
    blank = probabilities.shape[1] - 1
    spelled = [blank]
    for index in classes:
        spelled += (index, blank)
    # The positions one step earlier: CTC skips a blank only between different characters.
    sources = [
        range(
            max(0, position - (1 if each in (blank, spelled[max(0, position - 2)]) else 2)),
            position + 1,
        )
        for position, each in enumerate(spelled)
    ]
    with np.errstate(divide="ignore"):
        rows = np.log(probabilities[:, spelled].astype(np.float64)).tolist()
    scores = [0.0] + [-math.inf] * (len(spelled) - 1)
    before = []
    for row in rows:
        before.append(scores)
        scores = [
            max(scores[each.start : each.stop]) + value
            for each, value in zip(sources, row, strict=True)
        ]
    position = max(range(len(spelled))[-2:], key=scores.__getitem__)
    steps: list[list[int]] = [[] for _ in spelled]
    for step in reversed(range(len(rows))):
        steps[position].append(step)
        position = max(sources[position], key=before[step].__getitem__)
    return [(run[-1], run[0] + 1) for run in steps[1::2]]
