"""Several shots of one thing: one text from what a model outputs for each of them.

If nothing but chance made a model err, a text's probability would be the product of those in the
shots (Bayes' rule with equal priors). But glare on one character makes it sure of a wrong one, and
a single such shot would outvote two that are right. So every step of the output is first softened:
what one shot says against a character is bounded.
And what is worn, or drawn like another character, is so in every shot. So each further shot adds
less, as the members of a sample that are correlated do (Kish 1965, section 5.4): `weight`.
Both are chosen by measurement: docs/decisions/0035-several-shots.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton, build_automaton
from shared.patterns.check_digits import CHECK_RULES, CheckRule
from shared.patterns.limits import ANYTHING, Limits
from shared.recognition.decoding import (
    ALLOWED_ODDS,
    ALTERNATIVE_CUTOFF,
    CHECKED,
    DecodedText,
    Hypothesis,
    Place,
    at_temperature,
    locate,
    shares_of,
)
from shared.recognition.scripts.letter_case import Folds, fold_case
from shared.recognition.search.allowed_texts import SpelledTexts, spell_allowed
from shared.recognition.search.beam_search import search
from shared.recognition.vocabulary import Vocabulary

SOFTENING = 2.0
"""The temperature at which outputs are combined, on top of the model's own."""
MISREAD = 0.1
"""How often a step is taken to say nothing, whatever the model says."""
CORRELATION = 0.25
"""Of the errors of two shots."""
SHARPENING = 1.5
"""Of the weight, for what the softening takes away."""
BEAM = 28
"""Texts looked for in each shot."""
TINY = 1e-12
"""In place of 0, whose logarithm is no number."""

Probabilities = NDArray[np.float64]


WHOLE_INPUT = Place()


@dataclass(frozen=True)
class Shot:
    """What a model outputs for an image: softmax at its temperature, (T, classes), the blank last.

    place: of the input in the image.
    """

    steps: NDArray[np.float32]
    place: Place = WHOLE_INPUT

    def placed(self, place: Place) -> "Shot":
        """Return the shot of an image in which the input lies there."""
        return replace(self, place=place)


@dataclass(frozen=True)
class CombinedText:
    """What several shots say together.

    text: None where no text that fits has any probability; its characters are located in the shot
    in which it is the likeliest. shot: the index of that one. alone: what each says by itself.
    """

    text: DecodedText | None
    shot: int | None
    alone: tuple[Hypothesis | None, ...]


@dataclass(frozen=True)
class _Candidates:
    """The texts that are compared, and which of them fit the limits: the others take their share.

    found: each text's probability in each shot, (shots, texts); softened: the same of the softened
    output, where all candidates together have what they have in found. fits: (texts,). rest: in
    each shot the probability of all texts that are not among them; highest: the most that one of
    those has; both (shots,).
    """

    texts: tuple[str, ...]
    fits: NDArray[np.bool_]
    found: Probabilities
    softened: Probabilities
    rest: Probabilities
    highest: Probabilities

    def shares(self) -> Probabilities:
        """Return the texts' probabilities given all shots, (texts,)."""
        if len(self.found) == 1:
            return np.asarray(self.found[0])
        scores = weight(len(self.found)) * np.log(self.softened).mean(axis=0)
        # All other texts together would score at most this (Hölder's inequality), so that no
        # confidence is too high for want of candidates.
        rest = np.log(self.rest) + (weight(len(self.found)) - 1) * np.log(self.highest)
        scores = np.append(scores, rest.mean())
        shares = np.exp(scores - scores.max())
        return np.asarray(shares[:-1] / shares.sum())


def weight(number: int) -> float:
    """Return the power to which the geometric mean of so many shots' probabilities is raised."""
    return SHARPENING * number / (1 + (number - 1) * CORRELATION)


class ShotDecoder:
    """Finds the text of several shots within limits.

    Raises UnusableError for limits that no text of the model fits.
    """

    def __init__(self, limits: Limits, vocabulary: Vocabulary, time_steps: int, top_k: int) -> None:
        self._vocabulary = vocabulary
        self._top_k = top_k
        self._free = build_automaton(ANYTHING, vocabulary.characters, time_steps)
        self._within = self._free
        self._allowed: SpelledTexts | None = None
        self._rule: CheckRule | None = None
        if limits.allowed is not None:
            self._allowed = spell_allowed(limits, vocabulary, time_steps)
        else:
            self._within = build_automaton(limits, vocabulary.characters, time_steps)
            self._rule = CHECK_RULES.get(limits.check_digit or "")

    @property
    def classes(self) -> set[int]:
        """The classes that texts within the limits may hold."""
        if self._allowed is not None:
            return set(self._allowed.classes.tolist())
        return self._within.classes

    def decode(self, shots: Sequence[Shot]) -> CombinedText:
        """Return what the shots, one at least, say together and alone."""
        candidates = self._candidates(shots)
        alone = [self._likeliest(candidates, shares)[:1] for shares in candidates.found]
        together = self._likeliest(candidates, candidates.shares())
        text, shot = None, None
        if together:
            best = candidates.texts.index(together[0].text)
            shot = int(candidates.found[:, best].argmax())
            text = self._located(together, shots[shot])
        return CombinedText(text, shot, tuple(found[0] if found else None for found in alone))

    def _located(self, together: Sequence[Hypothesis], shot: Shot) -> DecodedText:
        text = together[0].text
        characters = locate(shot.steps, self._vocabulary.encode(text), self._vocabulary)
        located = DecodedText(text, together[0].confidence, characters, tuple(together))
        return located.placed(shot.place)

    def _likeliest(self, candidates: _Candidates, shares: Probabilities) -> list[Hypothesis]:
        """Return the likeliest texts that fit; none if none has a probability in any shot.

        shares: the candidates' probabilities.
        """
        fitting = np.where(candidates.fits & candidates.found.any(axis=0), shares, 0.0)
        confidences = fitting
        if self._allowed is not None:
            confidences = shares_of(fitting, ALLOWED_ODDS, shares.max())
        elif self._rule is not None:
            confidences = shares_of(fitting, self._rule.texts_per_number, 1.0)
        ordered = np.argsort(-fitting, kind="stable")[: self._top_k]
        least = ALTERNATIVE_CUTOFF * fitting[ordered[0]]
        return [
            Hypothesis(candidates.texts[index], min(1.0, confidences.item(index)))
            for index in ordered
            if fitting[index] > 0 and fitting[index] >= least
        ]

    def _candidates(self, shots: Sequence[Shot]) -> _Candidates:
        lowest, texts = self._found(shots, self._free, BEAM)
        groups: list[SpelledTexts] = []
        if self._allowed is not None:
            groups.append(self._allowed)
            fitting = set(self._allowed.texts)
        elif self._within is self._free:
            fitting = set(texts)
        else:
            _, within = self._found(shots, self._within, CHECKED if self._rule else BEAM)
            fitting = {each for each in within if self._rule is None or self._rule.fits(each)}
            texts += within
        # The empty text, which cannot be spelled, is a candidate of its own.
        others = dict.fromkeys(each for each in texts if each and each not in fitting)
        if self._allowed is None:
            others |= dict.fromkeys(filter(None, sorted(fitting)))
        groups.append(SpelledTexts.of(others, self._vocabulary))
        groups = [group for group in groups if group.texts]
        named = ("", *chain.from_iterable(group.texts for group in groups))
        found = np.array([_probabilities(shot.steps, groups) for shot in shots])
        soft = np.array([_probabilities(_softened(shot.steps), groups) for shot in shots])
        soft = np.maximum(soft * (found.sum(axis=1) / soft.sum(axis=1))[:, np.newaxis], TINY**2)
        fits = np.array([each in fitting for each in named])
        rest = np.maximum(1 - found.sum(axis=1), TINY)
        highest = np.minimum(rest, np.maximum(lowest, TINY))
        return _Candidates(named, fits, found, soft, rest, highest)

    def _found(
        self, shots: Sequence[Shot], automaton: Automaton, width: int
    ) -> tuple[list[float], list[str]]:
        """Return for each shot what its least likely text has, and all shots' texts."""
        lowest, texts = [], dict[str, None]()
        for shot in shots:
            found = search(shot.steps, automaton, width=width)
            lowest.append(found[-1][1] if found else 1.0)
            texts |= dict.fromkeys(self._vocabulary.decode(classes) for classes, _ in found)
        return lowest, list(texts)


def shots_of(
    output: NDArray[np.float32], _: Vocabulary, *, temperature: float, folds: Folds = ()
) -> list[Shot]:
    """Return what a batch's output (N, T, classes) says, a letter's other case counted as it."""
    folded = fold_case(output, folds) if folds else output
    return [Shot(steps) for steps in at_temperature(folded, temperature)]


def _softened(steps: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = at_temperature(steps[np.newaxis], SOFTENING)[0]
    return np.asarray((1 - MISREAD) * flat + np.float32(MISREAD / steps.shape[1]))


def _probabilities(steps: NDArray[np.float32], groups: Sequence[SpelledTexts]) -> Probabilities:
    """Return the probabilities of the empty text and of all others in a shot, (texts,)."""
    nothing = steps[:, -1].astype(np.float64).prod(keepdims=True)
    return np.concatenate([nothing, *(group.probabilities(steps) for group in groups)])
