"""How likely texts are, given a model's output."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IMPOSSIBLE = -1e30
"""A finite logarithm of 0: differences of it are numbers, too."""


def log_likelihoods(
    probabilities: NDArray[np.float32], texts: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Return the logarithm of each text's probability over all of its paths: (N,).

    probabilities: softmax output of N images, (N, T, classes), the blank last. texts: the classes
    of each image's text; one without a path gets IMPOSSIBLE or less.
    (The forward variables of Graves et al. 2006, section 4.1.)
    """
    images, steps, classes = probabilities.shape
    blank, longest = classes - 1, max(map(len, texts), default=0)
    spelled = np.full((images, 2 * longest + 1), blank)
    for row, text in zip(spelled, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    skips = np.zeros(spelled.shape, bool)  # the blank between two different characters
    skips[:, 2:] = (spelled[:, 2:] != blank) & (spelled[:, 2:] != spelled[:, :-2])
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float64)
    # Two columns stand before the first position, so that all have two predecessors.
    scores = np.full((images, spelled.shape[1] + 2), IMPOSSIBLE)
    scores[:, 2:4] = 0  # a path begins with a blank or with the first character
    for step in range(steps):
        came = scores[:, 2:]
        if step:
            came = np.logaddexp(came, scores[:, 1:-1])
            came = np.logaddexp(came, np.where(skips, scores[:, :-2], IMPOSSIBLE))
        scores[:, 2:] = came + np.take_along_axis(logarithms[:, step], spelled, axis=1)
    rows, ends = np.arange(images), np.array([2 * len(text) for text in texts]) + 2
    before = np.where(ends > 2, scores[rows, ends - 1], IMPOSSIBLE)
    return np.asarray(np.logaddexp(scores[rows, ends], before))
