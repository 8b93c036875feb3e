"""Where in a picture a text stands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def best_alignment(
    probabilities: NDArray[np.float32], classes: Sequence[int]
) -> list[tuple[int, int]]:
    """Return each character's first step and the one behind its last on the likeliest path.

    probabilities: softmax output of one picture, (T, classes), the blank last. The text must
    have a path. (Viterbi on the states of Graves et al. 2006, section 4.1.)
    """
    blank = probabilities.shape[1] - 1
    spelled = np.full(2 * len(classes) + 1, blank)
    spelled[1::2] = classes
    skips = np.zeros(len(spelled), dtype=bool)
    skips[2:] = (spelled[2:] != blank) & (spelled[2:] != spelled[:-2])
    with np.errstate(divide="ignore"):
        rows = np.log(probabilities[:, spelled].astype(np.float64))
    moves = np.zeros(rows.shape, dtype=np.intp)
    score = np.full(len(spelled), -np.inf)
    score[:2] = rows[0, :2]
    for step in range(1, len(rows)):
        options = np.full((3, len(spelled)), -np.inf)
        options[0], options[1, 1:] = score, score[:-1]
        options[2, 2:] = np.where(skips[2:], score[:-2], -np.inf)
        moves[step] = options.argmax(axis=0)
        score = options.max(axis=0) + rows[step]
    place = len(spelled) - 1 - int(len(spelled) > 1 and score[-2] > score[-1])
    path = [place]
    for step in range(len(rows) - 1, 0, -1):
        path.append(place := place - int(moves[step, place]))
    places = np.array(path[::-1])
    return [
        (int(steps[0]), int(steps[-1]) + 1)
        for steps in (np.flatnonzero(places == 2 * n + 1) for n in range(len(classes)))
    ]
