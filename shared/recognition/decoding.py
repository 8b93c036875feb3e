"""From a model's output to a prediction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton
from shared.recognition.alignment import best_alignment
from shared.recognition.beam_search import search
from shared.recognition.vocabulary import Vocabulary

FAINT = 1e-5
"""An alternative is left out if it is so many times less likely than the likeliest text."""


@dataclass(frozen=True)
class DecodedCharacter:
    """One character of a prediction, the model's probability for it, and its place.

    All in [0, 1]: start and end are shares of the width of the model's input, from its first
    time step to behind its last.
    """

    text: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """A text and its probability in [0, 1]."""

    text: str
    confidence: float


@dataclass(frozen=True)
class DecodedText:
    """What a model read: text, its probability in [0, 1], and each character's.

    The text's probability is the sum over all paths that spell it, not the best path's alone:
    where one character ends and the next begins is often open while the text is not.
    """

    text: str
    confidence: float
    characters: tuple[DecodedCharacter, ...]
    alternatives: tuple[Hypothesis, ...] = ()
    """The likeliest texts, this one first; empty unless they were asked for."""

    def on(self, covered: float) -> "DecodedText":
        """Return the prediction with places as shares of an image that covers part of the input."""
        if covered == 1:
            return self
        characters = tuple(
            replace(one, start=min(1.0, one.start / covered), end=min(1.0, one.end / covered))
            for one in self.characters
        )
        return replace(self, characters=characters)


def decode(
    probabilities: NDArray[np.float32], vocabulary: Vocabulary, temperature: float = 1.0
) -> list[DecodedText]:
    """Read a batch by best path: the likeliest class per step, repeats merged, blanks dropped.

    probabilities: softmax output (N, T, classes), the blank last. A prediction's confidence is
    the probability of its text, a character's the highest of its steps, both at the temperature;
    the text is the same at any. (Graves et al. 2006, section 3.2.)
    """
    classes = probabilities.argmax(axis=2)
    return [
        _best_path(path, steps, vocabulary)
        for path, steps in zip(classes, at_temperature(probabilities, temperature), strict=True)
    ]


def decode_within(
    probabilities: NDArray[np.float32],
    vocabulary: Vocabulary,
    automaton: Automaton,
    *,
    top_k: int = 1,
    temperature: float = 1.0,
) -> list[DecodedText | None]:
    """Read a batch by beam search: each image's likeliest text that the automaton accepts.

    probabilities: as for decode. A prediction holds the top_k likeliest texts, fewer if the others
    are far less likely; None where no accepted text has any probability. Confidences are those
    of decode: the limits do not raise them.
    """
    return [
        _likeliest(steps, vocabulary, automaton, top_k)
        for steps in at_temperature(probabilities, temperature)
    ]


def _likeliest(
    steps: NDArray[np.float32], vocabulary: Vocabulary, automaton: Automaton, top_k: int
) -> DecodedText | None:
    found = search(steps, automaton, width=8 + 2 * top_k)
    if not found:
        return None
    # The beam lost some paths of each text, so that those of nearly the same weight may change
    # places when they are summed exactly.
    contenders = found[:top_k][-1][1] / 10
    exact = {
        classes: text_probability(steps, classes, vocabulary.blank_index)
        for classes, share in found
        if share >= contenders
    }
    ordered = sorted(exact, key=exact.__getitem__, reverse=True)[:top_k]
    best = ordered[0]
    told = [classes for classes in ordered if exact[classes] >= FAINT * exact[best]]
    return DecodedText(
        text=vocabulary.decode(best),
        confidence=exact[best],
        characters=_placed(steps, best, best_alignment(steps, best), vocabulary),
        alternatives=tuple(
            Hypothesis(vocabulary.decode(classes), exact[classes]) for classes in told
        ),
    )


def _placed(
    steps: NDArray[np.float32],
    classes: Sequence[int],
    runs: Sequence[tuple[int, int]],
    vocabulary: Vocabulary,
) -> tuple[DecodedCharacter, ...]:
    return tuple(
        DecodedCharacter(
            vocabulary.characters[index],
            float(steps[start:end, index].max()),
            start / len(steps),
            end / len(steps),
        )
        for index, (start, end) in zip(classes, runs, strict=True)
    )


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
) -> DecodedText:
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    peaks = np.maximum.reduceat(steps[np.arange(len(path)), path], starts)
    first = starts.tolist()
    runs = [
        (index, peak, start, end)
        for index, peak, start, end in zip(
            path[starts].tolist(), peaks.tolist(), first, [*first[1:], len(path)], strict=True
        )
        if index != vocabulary.blank_index
    ]
    classes = [index for index, *_ in runs]
    return DecodedText(
        text=vocabulary.decode(classes),
        confidence=text_probability(steps, classes, vocabulary.blank_index),
        characters=tuple(
            DecodedCharacter(vocabulary.characters[index], peak, start / len(path), end / len(path))
            for index, peak, start, end in runs
        ),
    )


def text_probability(
    probabilities: NDArray[np.float32], classes: Sequence[int], blank_index: int
) -> float:
    """Return the probability of a text: the sum over all paths that spell it, in [0, 1].

    probabilities: softmax output of one image, (T, classes). The forward recursion of Graves
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
