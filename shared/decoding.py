"""From a model's output to a reading."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.vocabulary import Vocabulary


@dataclass(frozen=True)
class Character:
    """One character of a reading and the model's probability for it, in [0, 1]."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Reading:
    """What a model read: text, its probability in [0, 1], and each character's."""

    text: str
    confidence: float
    characters: tuple[Character, ...]


def decode(probabilities: NDArray[np.float32], vocabulary: Vocabulary) -> list[Reading]:
    """Read a batch by best path: the likeliest class per step, repeats merged, blanks dropped.

    probabilities: softmax output (N, T, classes), the blank last. A reading's confidence is
    the probability of its path, a character's the highest of its steps.
    (Graves et al. 2006, section 3.2.)
    """
    classes = probabilities.argmax(axis=2)
    best = np.take_along_axis(probabilities, classes[..., np.newaxis], axis=2)[..., 0]
    return [
        _best_path(path, weights, vocabulary)
        for path, weights in zip(classes, best.astype(np.float64), strict=True)
    ]


def _best_path(
    path: NDArray[np.intp], weights: NDArray[np.float64], vocabulary: Vocabulary
) -> Reading:
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    peaks = np.maximum.reduceat(weights, starts)
    characters = tuple(
        Character(vocabulary.characters[index], float(peak))
        for index, peak in zip(path[starts].tolist(), peaks.tolist(), strict=True)
        if index != vocabulary.blank_index
    )
    text = "".join(character.text for character in characters)
    return Reading(text, float(weights.prod()), characters)
