"""From a model's output to a prediction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice, pairwise

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton
from shared.patterns.check_digits import CheckRule
from shared.recognition.image_spec import ImageSpec
from shared.recognition.lines.corners import Corners
from shared.recognition.scripts.graphemes import clusters
from shared.recognition.search.alignment import best_alignment
from shared.recognition.search.allowed_texts import SpelledTexts
from shared.recognition.search.beam_search import search
from shared.recognition.vocabulary import Vocabulary

ALTERNATIVE_CUTOFF = 1e-5
"""An alternative is left out below this share of the likeliest text's probability."""
ALLOWED_ODDS = 1000
"""How much likelier a text of a list is, before the image is looked at, than the model knows."""
CHECKED = 100
"""Texts of which the valid ones are chosen by their check digits."""


@dataclass(frozen=True)
class DecodedCharacter:
    """One character of a prediction, the model's probability for it, and its location.

    A letter and its marks are one (a grapheme cluster), as sure as the least sure of them. All in
    [0, 1]: start and end are shares of the width of the model's input, from its first time step to
    the end of its last.
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
class Place:
    """Where a model's input lies in the image that it was made of."""

    span: tuple[float, float] = (0.0, 1.0)
    """Where the input's edges lie in the image, or in the line if rows may be joined in it."""
    rows: int = 1
    """Of the image, which are beside each other in the line."""
    region: tuple[float, float] = (0.0, 1.0)
    """Where the line's edges lie in the image."""
    corners: Corners | None = None
    """Of the line that was found in the image and cut out of it."""


@dataclass(frozen=True)
class DecodedText:
    """What a model predicts for an image: text, its probability in [0, 1], and each character's.

    The text's probability is the sum over all paths that spell it, not the best path's alone: a
    model is often sure of the text but not of where one character ends and the next begins. The
    best path's probability averaged 0.6 on a set where 98 % of the texts were correct.
    """

    text: str
    confidence: float
    characters: tuple[DecodedCharacter, ...]
    alternatives: tuple[Hypothesis, ...] = ()
    """The likeliest texts, this one first; empty unless they were requested."""
    corners: Corners | None = None
    """Where in the image the line was found; None where nobody looked for it, or found none."""

    def within(self, span: tuple[float, float]) -> "DecodedText":
        """Return the prediction located within the image, in which the input spans this part.

        span: the input's left and right edge in shares of the image's width.
        """
        left, right = span
        if span == (0, 1):
            return self

        def place(share: float) -> float:
            return min(1.0, left + share * (right - left))

        characters = tuple(
            # Where the text runs from right to left, so does the span.
            replace(one, start=min(places), end=max(places))
            for one in self.characters
            for places in [(place(one.start), place(one.end))]
        )
        return replace(self, characters=characters)

    def placed(self, place: Place) -> "DecodedText":
        """Return the prediction with its characters located within the image."""
        located = self.within(place.span).in_rows(place.rows).within(place.region)
        return replace(located, corners=place.corners)

    def in_rows(self, rows: int) -> "DecodedText":
        """Return the prediction of a line of rows that were joined, each character in its own row.

        rows: equally wide ones that this line has beside each other.
        """
        if rows == 1:
            return self

        def in_row(one: DecodedCharacter) -> DecodedCharacter:
            row = min(rows - 1, int(rows * (one.start + one.end) / 2))
            start, end = rows * one.start - row, rows * one.end - row
            return replace(one, start=max(0.0, start), end=min(1.0, end))

        return replace(self, characters=tuple(map(in_row, self.characters)))


def in_reading_order(output: NDArray[np.float32], spec: ImageSpec) -> NDArray[np.float32]:
    """Return a network's output (N, T, classes) with the steps in the order of the text."""
    return output[:, ::-1] if spec.direction == "rtl" else output


def decode(
    probabilities: NDArray[np.float32], vocabulary: Vocabulary, temperature: float = 1.0
) -> list[DecodedText]:
    """Decode a batch by best path: the likeliest class per step, repeats merged, blanks dropped.

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
    """Decode a batch by beam search: each image's likeliest text that the automaton accepts.

    probabilities: as for decode. A prediction holds the top_k likeliest texts, fewer if the others
    are far less likely; None where no accepted text has a probability above 0. Confidences are
    those of decode: the limits do not raise them.
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
    # The beam lost some paths of each text: among texts of similar probability the order may
    # change when all paths are summed.
    contenders = found[:top_k][-1][1] / 10
    exact = {
        classes: text_probability(steps, classes, vocabulary.blank_index)
        for classes, share in found
        if share >= contenders
    }
    ordered = sorted(exact, key=exact.__getitem__, reverse=True)[:top_k]
    best = ordered[0]
    listed = [classes for classes in ordered if exact[classes] >= ALTERNATIVE_CUTOFF * exact[best]]
    return DecodedText(
        text=vocabulary.decode(best),
        confidence=exact[best],
        characters=locate(steps, best, vocabulary),
        alternatives=tuple(
            Hypothesis(vocabulary.decode(classes), exact[classes]) for classes in listed
        ),
    )


def decode_allowed(
    probabilities: NDArray[np.float32],
    vocabulary: Vocabulary,
    allowed: SpelledTexts,
    *,
    top_k: int = 1,
    temperature: float = 1.0,
) -> list[DecodedText | None]:
    """Decode a batch by comparing all allowed texts: each image's likeliest one of the list.

    probabilities: as for decode. None where no allowed text has a probability above 0. A
    confidence is the text's share among the allowed ones and "none of them": see shares_of
    and free_probability.
    """
    return [
        _likeliest_allowed(steps, vocabulary, allowed, top_k, ALLOWED_ODDS, free_probability(steps))
        for steps in at_temperature(probabilities, temperature)
    ]


def decode_checked(
    probabilities: NDArray[np.float32],
    vocabulary: Vocabulary,
    automaton: Automaton,
    rule: CheckRule,
    *,
    top_k: int = 1,
    temperature: float = 1.0,
) -> list[DecodedText | None]:
    """Decode a batch by the CHECKED likeliest texts that the automaton accepts, if valid.

    The valid ones are judged as decode_allowed judges the texts of a list, with lower odds and
    all other texts against them: near every text there is a valid one. None if none is valid.
    """
    predictions = []
    for steps in at_temperature(probabilities, temperature):
        found = search(steps, automaton, width=CHECKED)
        texts = [vocabulary.decode(classes) for classes, _ in found if classes]
        valid = SpelledTexts.of(filter(rule.fits, texts), vocabulary)
        odds = rule.texts_per_number
        predictions.append(_likeliest_allowed(steps, vocabulary, valid, top_k, odds, 1.0))
    return predictions


def shares_of(found: NDArray[np.float64], odds: int, others: float) -> NDArray[np.float64]:
    """Return each text's share among the allowed ones and "none of them", (N,).

    found: the probabilities of all allowed texts, (N,); odds: how much likelier such a text is,
    before the image is looked at, than the model knows; others: the most that all other texts
    together have.
    """
    total = found.sum()
    return np.asarray(odds * found / (odds * total + min(others, max(0.0, 1.0 - total))))


def free_probability(steps: NDArray[np.float32]) -> float:
    """Return the probability of the text of the best path; steps: softmax (T, classes).

    It stands for all texts that are not on a list: an unsure model spreads their probability over
    many that are alike.
    """
    blank = steps.shape[1] - 1
    best = [index for index, _ in groupby(steps.argmax(axis=1).tolist()) if index != blank]
    return text_probability(steps, best, blank)


def _likeliest_allowed(
    steps: NDArray[np.float32],
    vocabulary: Vocabulary,
    allowed: SpelledTexts,
    top_k: int,
    odds: int,
    others: float,
) -> DecodedText | None:
    if not allowed.texts:
        return None
    found = allowed.probabilities(steps)
    if not found.any():
        return None
    shares = shares_of(found, odds, others)
    ordered = np.argsort(-found, kind="stable")[:top_k]
    likeliest = tuple(
        Hypothesis(allowed.texts[index], shares.item(index))
        for index in ordered
        if found[index] >= ALTERNATIVE_CUTOFF * found[ordered[0]]
    )
    best = likeliest[0]
    classes = vocabulary.encode(best.text)
    return DecodedText(
        text=best.text,
        confidence=best.confidence,
        characters=locate(steps, classes, vocabulary),
        alternatives=likeliest,
    )


def locate(
    steps: NDArray[np.float32], classes: Sequence[int], vocabulary: Vocabulary
) -> tuple[DecodedCharacter, ...]:
    """Return the characters of a text along its likeliest path; it must have one.

    steps: softmax output of one image, (T, classes), the blank last.
    """
    return _characters(steps, classes, best_alignment(steps, classes), vocabulary)


def _characters(
    steps: NDArray[np.float32],
    classes: Sequence[int],
    runs: Sequence[tuple[int, int]],
    vocabulary: Vocabulary,
) -> tuple[DecodedCharacter, ...]:
    found = (
        DecodedCharacter(
            vocabulary.characters[classes[place]],
            float(steps[slice(*runs[place]), classes[place]].max()),
            runs[place][0] / len(steps),
            runs[place][1] / len(steps),
        )
        for place in vocabulary.order(classes)
    )
    text = vocabulary.decode(classes)
    return tuple(_joined(list(islice(found, len(cluster)))) for cluster in clusters(text))


def _joined(parts: Sequence[DecodedCharacter]) -> DecodedCharacter:
    """Return a letter with its marks as one character, as sure as the least sure of them."""
    if len(parts) == 1:
        return parts[0]
    return DecodedCharacter(
        "".join(part.text for part in parts),
        min(part.confidence for part in parts),
        min(part.start for part in parts),
        max(part.end for part in parts),
    )


def at_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return softmax output (N, T, classes) as if its logits had been divided by the temperature.

    Above 1 it becomes less confident, below 1 more so. (Guo et al. 2017, section 4.2.)
    """
    if temperature == 1:
        return probabilities
    # Relative to the likeliest class: else a power can underflow to 0 for all classes of a step.
    powers = (probabilities / probabilities.max(axis=2, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))


def _best_path(
    path: NDArray[np.intp], steps: NDArray[np.float32], vocabulary: Vocabulary
) -> DecodedText:
    starts = np.flatnonzero(np.diff(path, prepend=-1)).tolist()
    runs = [
        (start, end)
        for start, end in pairwise([*starts, len(path)])
        if path[start] != vocabulary.blank_index
    ]
    classes = [int(path[start]) for start, _ in runs]
    return DecodedText(
        text=vocabulary.decode(classes),
        confidence=text_probability(steps, classes, vocabulary.blank_index),
        characters=_characters(steps, classes, runs, vocabulary),
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
    # A path needs no blank between two characters, unless they are equal.
    skips = [
        position > 1
        and spelled[position] != blank_index
        and spelled[position] != spelled[position - 2]
        for position in range(len(spelled))
    ]
    forward = [1.0] + [0.0] * (len(spelled) - 1)
    for row in probabilities[:, spelled].tolist():
        before = forward
        forward = [
            (
                before[position]
                + (before[position - 1] if position else 0.0)
                + (before[position - 2] if skip else 0.0)
            )
            * row[position]
            for position, skip in enumerate(skips)
        ]
    return min(1.0, sum(forward[-2:]))  # rounding can exceed 1
