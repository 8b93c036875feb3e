"""The texts of a list that a model can spell, and how likely each of them is in an image."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.automaton import build_automaton
from shared.patterns.check_digits import CHECK_RULES
from shared.patterns.limits import ANYTHING, Limits
from shared.recognition.vocabulary import Vocabulary, required_time_steps

CUTOFF: Final = 1e-9
"""A text whose share of the likeliest one's probability is lower counts as impossible."""
TRIED_FIRST: Final = 64
"""The most promising texts, of which the best says which others need not be looked at."""
CHUNK: Final = 512
"""Texts whose paths are summed at a time: more do not fit in the CPU's caches."""
STEPS_BETWEEN_CUTS: Final = 6
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class SpelledTexts:
    """Texts as the classes of a model, the shortest first.

    classes: those of all texts in a row; starts: where each text begins there, (N,); lengths:
    characters of each, (N,), at least 1; new: whether the character is its text's first such.
    """

    texts: tuple[str, ...]
    classes: NDArray[np.intp]
    starts: NDArray[np.intp]
    lengths: NDArray[np.intp]
    new: NDArray[np.bool_]

    @classmethod
    def of(cls, texts: Iterable[str], vocabulary: Vocabulary) -> "SpelledTexts":
        """Encode texts, each with at least one character, all of them of the vocabulary."""
        ordered = tuple(sorted(texts, key=len))
        encoded = [vocabulary.encode(text) for text in ordered]
        lengths = np.array([len(text) for text in ordered], dtype=np.intp)
        return cls(
            ordered,
            np.array([each for text in encoded for each in text], dtype=np.intp),
            np.cumsum(lengths) - lengths,
            lengths,
            np.array([each not in text[:at] for text in encoded for at, each in enumerate(text)]),
        )

    def probabilities(self, steps: NDArray[np.float32]) -> Probabilities:
        """Return each text's probability, the sum over all its paths, (N,).

        steps: softmax output of one image, (T, classes), the blank last. 0 stands for whatever is
        below CUTOFF times the highest.
        """
        rows = steps.astype(np.float64)
        bounds = self._bounds(rows)
        found = np.zeros(len(self.texts))
        first = np.argsort(-bounds, kind="stable")[:TRIED_FIRST]
        found[first] = self._sums(rows, first, 0.0)
        bounds[first] = 0.0
        others = np.flatnonzero(bounds > CUTOFF * found.max())
        for start in range(0, len(others), CHUNK):
            chunk = others[start : start + CHUNK]
            found[chunk] = self._sums(rows, chunk, CUTOFF * found.max())
        found[found < CUTOFF * found.max()] = 0.0
        return np.minimum(found, 1.0)  # rounding can exceed 1

    def _bounds(self, steps: Probabilities) -> Probabilities:
        """Return a probability for each text that its own does not exceed, (N,).

        It is that of all its characters occurring somewhere. The steps are independent, and at a
        step the classes exclude each other, so the characters' occurrences are negatively
        associated: together they are at most as likely as the product of each. (Joag-Dev and
        Proschan 1983.)
        """
        with np.errstate(divide="ignore"):
            occurs = np.log(-np.expm1(np.log1p(-np.minimum(steps, 1.0)).sum(axis=0)))
        return np.exp(np.add.reduceat(np.where(self.new, occurs[self.classes], 0.0), self.starts))

    def _sums(self, steps: Probabilities, chosen: NDArray[np.intp], least: float) -> Probabilities:
        """Return the probabilities of some texts; 0 for those that prove to be at most least.

        The forward recursion of Graves et al. 2006, section 4.1. What all of a text's paths have
        gathered so far can only become less.
        """
        found = np.zeros(len(chosen))
        left = np.arange(len(chosen))
        spelled = self._spelled(chosen, steps.shape[1] - 1)
        skips = np.zeros(spelled.shape)  # over the blank between two different characters
        skips[:, 3::2] = spelled[:, 3::2] != spelled[:, 1:-2:2]
        forward = np.zeros(spelled.shape)
        forward[:, 0] = 1.0
        for number, row in enumerate(steps):
            after = forward.copy()
            after[:, 1:] += forward[:, :-1]
            after[:, 2:] += forward[:, :-2] * skips[:, 2:]
            forward = after * row[spelled]
            if number % STEPS_BETWEEN_CUTS == STEPS_BETWEEN_CUTS - 1:
                alive = forward.sum(axis=1) > least
                if not alive.all():
                    left, spelled, skips = left[alive], spelled[alive], skips[alive]
                    forward = forward[alive]
        ends = 2 * self.lengths[chosen[left]]
        rows = np.arange(len(left))
        found[left] = forward[rows, ends] + forward[rows, ends - 1]
        return found

    def _spelled(self, chosen: NDArray[np.intp], blank: int) -> NDArray[np.intp]:
        """Return the classes of some texts with blanks around each character, (rows, 2 L + 1)."""
        lengths = self.lengths[chosen, np.newaxis]
        places = np.arange(lengths.max(initial=0))
        inside = places < lengths
        spelled = np.full((len(chosen), 2 * len(places) + 1), blank)
        spelled[:, 1::2] = np.where(
            inside,
            self.classes[np.where(inside, self.starts[chosen, np.newaxis] + places, 0)],
            blank,
        )
        return spelled


@lru_cache(maxsize=16)
def spell_allowed(limits: Limits, vocabulary: Vocabulary, time_steps: int) -> SpelledTexts:
    """Return the allowed texts that a model can spell and that fit the other limits.

    Raises LimitsError: no_text_fits if there is none, or what build_automaton raises.
    """
    others = replace(limits, allowed=None)
    texts = _fitting(limits.allowed or (), others, vocabulary, time_steps)
    if not texts:
        raise LimitsError(
            "no_text_fits",
            "No allowed text that this model can spell fits the other limits."
            if others != ANYTHING
            else "The model can spell none of the allowed texts.",
            f"It has {time_steps} time steps, one for each character and another between two equal "
            f"characters, and knows these characters: {''.join(vocabulary.characters[:200])}.",
            "allowed",
        )
    return SpelledTexts.of(texts, vocabulary)


def _fitting(
    texts: Iterable[str], limits: Limits, vocabulary: Vocabulary, time_steps: int
) -> list[str]:
    known = set(vocabulary.characters)
    spelled = [
        text for text in texts if known.issuperset(text) and required_time_steps(text) <= time_steps
    ]
    if limits.check_digit is not None:
        fits = CHECK_RULES[limits.check_digit].fits
        spelled = [text for text in spelled if fits(text)]
    if replace(limits, check_digit=None) == ANYTHING:
        return spelled
    automaton = build_automaton(limits, vocabulary.characters, time_steps)
    classes = Vocabulary(vocabulary.characters)  # limits are of texts in logical order
    return [text for text in spelled if automaton.accepts(classes.encode(text))]
