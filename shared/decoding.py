"""From a model's output to a reading."""

from collections.abc import Sequence
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
    """What a model read: text, its probability in [0, 1], and each character's.

    The text's probability is the sum over all paths that spell it, not the best path's alone:
    where one character ends and the next begins is often open while the text is not.
    """

    text: str
    confidence: float
    characters: tuple[Character, ...]


def decode(
    probabilities: NDArray[np.float32], vocabulary: Vocabulary, temperature: float = 1.0
) -> list[Reading]:
    """Read a batch by best path: the likeliest class per step, repeats merged, blanks dropped.

    probabilities: softmax output (N, T, classes), the blank last. A reading's confidence is
    the probability of its text, a character's the highest of its steps, both at the temperature;
    the text is the same at any. (Graves et al. 2006, section 3.2.)
    """
    classes = probabilities.argmax(axis=2)
    return [
        _best_path(path, steps, vocabulary)
        for path, steps in zip(classes, at_temperature(probabilities, temperature), strict=True)
    ]


def at_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax output (N, T, classes) as if its logits had been divided by the temperature.

    Above 1 it becomes less sure, below 1 surer. (Guo et al. 2017, section 4.2.)
    """
    if temperature == 1:
        return probabilities
    # Relative to the likeliest class, so that no power leaves a step without any probability.
    powers = (probabilities / probabilities.max(axis=2, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))


def _best_path(
    path: NDArray[np.intp], steps: NDArray[np.float32], vocabulary: Vocabulary
) -> Reading:
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    peaks = np.maximum.reduceat(steps[np.arange(len(path)), path], starts)
    runs = [
        (index, peak)
        for index, peak in zip(path[starts].tolist(), peaks.tolist(), strict=True)
        if index != vocabulary.blank_index
    ]
    classes = [index for index, _ in runs]
    return Reading(
        text=vocabulary.decode(classes),
        confidence=text_probability(steps, classes, vocabulary.blank_index),
        characters=tuple(Character(vocabulary.characters[index], peak) for index, peak in runs),
    )


def text_probability(
    probabilities: NDArray[np.float32], classes: Sequence[int], blank_index: int
) -> float:
    """Return the probability of a text: the sum over all paths that spell it, in [0, 1].

    probabilities: softmax output of one picture, (T, classes). The forward recursion of Graves
    et al. 2006, section 4.1; plain floats, which beat NumPy at texts of this length.
    """
    spelled = [blank_index]
    for index in classes:
        spelled += (index, blank_index)
    # A path may go from one character to the next without a blank, unless they are equal.
    skips = [
        place > 1 and spelled[place] != blank_index and spelled[place] != spelled[place - 2]
        for place in range(len(spelled))
    ]
    forward = [1.0] + [0.0] * (len(spelled) - 1)
    for row in probabilities[:, spelled].tolist():
        before = forward
        forward = [
            (
                before[place]
                + (before[place - 1] if place else 0.0)
                + (before[place - 2] if skip else 0.0)
            )
            * row[place]
            for place, skip in enumerate(skips)
        ]
    return min(1.0, sum(forward[-2:]))
