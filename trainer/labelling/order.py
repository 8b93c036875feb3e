"""The order in which images teach most: what is read with doubt, and is unlike what was seen.

It is for a share of the images only; the others are shown in random order, for the estimate.
"""

import numpy as np
from numpy.typing import NDArray

PICKED = 64
"""Images that are picked one after the other, each unlike those before; more than are labelled
until the next learning."""


def informative(
    doubts: NDArray[np.float64], looks: NDArray[np.float32], seen: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return each image's score (N,), from 0 to 1: the highest should be labelled next.

    doubts: 1 less the confidence, (N,); looks: what describes an image, (N, D); seen: the same of
    those with a label, (M, D). Each pick is the image whose doubt times its distance to all that
    is labelled or picked is greatest: of many that are doubted alike, one of each kind.
    (Distances: Sener and Savarese 2018, "Active learning for convolutional neural networks".)
    """
    scale = np.maximum(np.std(np.concatenate([looks, seen]), axis=0), 1e-6)
    looks, seen = looks / scale, seen / scale
    nearest = np.full(len(looks), np.inf)
    for one in seen:
        nearest = np.minimum(nearest, _distances(looks, one))
    if not len(seen):
        nearest = _distances(looks, looks.mean(axis=0))
    worth = doubts * nearest
    scores = 0.5 * worth / max(float(worth.max(initial=0.0)), 1e-9)
    for rank in range(min(PICKED, len(looks))):
        pick = int(worth.argmax())
        scores[pick] = 1 - 0.5 * rank / PICKED
        nearest = np.minimum(nearest, _distances(looks, looks[pick]))
        worth = np.where(worth < 0, -1.0, doubts * nearest)
        worth[pick] = -1.0
    return np.asarray(scores, float)


def _distances(looks: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(looks - one, axis=1), float)
