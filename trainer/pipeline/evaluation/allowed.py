"""How well a model reads with the list of texts that a job is given, and what to reject."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.recognition.decoding import ALLOWED_ODDS, decode, free_probability, shares_of
from shared.recognition.search.allowed_texts import SpelledTexts
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import AllowedFigures

THRESHOLDS: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
MAX_ACCEPTED: Final = 0.05
"""Of images of other texts, at the proposed threshold."""


@dataclass(frozen=True)
class AllowedReading:
    """How one image with a label is read without the list, with it, and without its own text."""

    listed: bool
    correct_freely: bool
    correct: bool
    confidence: float
    confidence_of_others: float
    """Of the likeliest text of the list that is not the image's: as if its text were not there."""


def read_allowed(
    output: NDArray[np.float32],
    truths: Sequence[str],
    vocabulary: Vocabulary,
    allowed: SpelledTexts,
) -> list[AllowedReading]:
    """Read a batch; output: calibrated softmax (N, T, classes)."""
    free = decode(output, vocabulary)
    return [
        _read(allowed, steps, truth, prediction.text == truth)
        for steps, truth, prediction in zip(output, truths, free, strict=True)
    ]


def _read(
    allowed: SpelledTexts, steps: NDArray[np.float32], truth: str, correct_freely: bool
) -> AllowedReading:
    found, free = allowed.probabilities(steps), free_probability(steps)
    best = int(found.argmax())
    listed = truth in allowed.texts
    others = np.where([text == truth for text in allowed.texts], 0.0, found) if listed else found
    return AllowedReading(
        listed=listed,
        correct_freely=correct_freely,
        correct=allowed.texts[best] == truth,
        confidence=float(shares_of(found, ALLOWED_ODDS, free)[best]),
        confidence_of_others=float(shares_of(others, ALLOWED_ODDS, free).max()),
    )


def measure_allowed(readings: Sequence[AllowedReading], texts: int) -> AllowedFigures:
    """Propose the lowest threshold at which few images of other texts are accepted."""
    threshold = next(
        (each for each in THRESHOLDS if _accepted(readings, each) <= MAX_ACCEPTED), THRESHOLDS[-1]
    )
    listed = [reading for reading in readings if reading.listed]
    kept = [reading for reading in listed if reading.confidence >= threshold]
    return AllowedFigures(
        texts=texts,
        threshold=threshold,
        images=len(readings),
        others_accepted=_accepted(readings, threshold),
        listed_images=len(listed),
        wrong_without_list=_share(sum(not each.correct_freely for each in listed), len(listed)),
        wrong=_share(sum(not each.correct for each in kept), len(listed)),
        rejected=_share(len(listed) - len(kept), len(listed)),
    )


def _accepted(readings: Sequence[AllowedReading], threshold: float) -> float:
    accepted = sum(reading.confidence_of_others >= threshold for reading in readings)
    return _share(accepted, len(readings))


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0
