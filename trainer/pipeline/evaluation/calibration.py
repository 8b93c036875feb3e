"""Calibrates confidences by a temperature, and measures them against the truth."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.recognition.decoding import at_temperature, decode, text_probability
from shared.recognition.scoring import wilson_interval
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import CalibrationError, Threshold

BINS: Final = 10
TEMPERATURES: Final[list[float]] = (2.0 ** np.linspace(-2, 2, 33)).tolist()
"""The grid searched: from 1/4 to 4, each 9 % above the one before."""
PRIOR_DEVIATION: Final = 0.35
"""Prior standard deviation of the log temperature: a few images change it little."""
MIN_PROBABILITY: Final = 1e-30
"""Replaces a probability of 0, so that one impossible truth does not decide alone."""
WRONG_SHARES: Final = (0.05, 0.02, 0.01, 0.005, 0.001)
"""Error rates for which a threshold is reported."""

Judged = tuple[float, bool]
"""A prediction's confidence, and whether its whole text is correct."""


def fit_temperature(
    output: NDArray[np.float32], truths: Sequence[str], vocabulary: Vocabulary
) -> float:
    """Return the temperature, of TEMPERATURES, at which the truth is likeliest.

    output: softmax (N, T, classes) of images that were not trained on. Minimises the negative
    log-likelihood of the truth (the CTC loss) with a log-normal prior around 1. (Temperature
    scaling: Guo et al. 2017, section 4.2; the prior is ours, see docs/confidence.md.)
    """
    # The likelihood of the truth, not of correct and wrong: on ten runs it gave the lower error
    # (0.065 against 0.073), because it also uses how wrong a prediction is.
    classes = [vocabulary.encode(truth) for truth in truths]

    def cost(temperature: float) -> float:
        likelihoods = (
            text_probability(steps, truth, vocabulary.blank_index)
            for steps, truth in zip(at_temperature(output, temperature), classes, strict=True)
        )
        prior = (math.log(temperature) / PRIOR_DEVIATION) ** 2 / 2
        return prior - sum(math.log(max(likelihood, MIN_PROBABILITY)) for likelihood in likelihoods)

    return min(TEMPERATURES, key=cost)


def judge(
    output: NDArray[np.float32], truths: Sequence[str], vocabulary: Vocabulary, temperature: float
) -> list[Judged]:
    """Decode a batch at a temperature and compare it with the truth."""
    predictions = decode(output, vocabulary, temperature)
    return [
        (prediction.confidence, prediction.text == truth)
        for prediction, truth in zip(predictions, truths, strict=True)
    ]


def calibration_error(before: Sequence[Judged], after: Sequence[Judged]) -> CalibrationError:
    """Measure the same predictions without and with the temperature."""
    return CalibrationError(
        images=len(after),
        before=expected_calibration_error(before),
        after=expected_calibration_error(after),
    )


def expected_calibration_error(judged: Sequence[Judged]) -> float:
    """Return the mean gap between confidence and accuracy, 0 for no predictions.

    (Naeini et al. 2015, section 2; BINS bins of equal width.)
    """
    gaps = [0.0] * BINS
    for confidence, correct in judged:
        gaps[min(int(confidence * BINS), BINS - 1)] += confidence - correct
    return sum(map(abs, gaps)) / len(judged) if judged else 0.0


def thresholds(judged: Iterable[Judged]) -> tuple[Threshold, ...]:
    """Return the thresholds of accepting everything and of the error rates in WRONG_SHARES.

    For each rate the lowest threshold whose accepted predictions meet it; duplicates are listed
    once, rates that no threshold meets not at all.
    """
    ordered = sorted(judged, reverse=True)
    wrong = list(accumulate(not correct for _, correct in ordered))
    cuts = [  # a threshold cannot separate equal confidences
        count
        for count in range(1, len(ordered) + 1)
        if count == len(ordered) or ordered[count][0] < ordered[count - 1][0]
    ]
    chosen = {len(ordered)} if ordered else set()
    for share in WRONG_SHARES:
        within = [count for count in cuts if wrong[count - 1] <= share * count]
        chosen.update(within[-1:])
    return tuple(
        _threshold(ordered, count, wrong[count - 1]) for count in sorted(chosen, reverse=True)
    )


def _threshold(ordered: Sequence[Judged], images: int, wrong: int) -> Threshold:
    """Set a threshold between the last accepted prediction and the first rejected one."""
    everything = images == len(ordered)
    return Threshold(
        threshold=0.0 if everything else (ordered[images - 1][0] + ordered[images][0]) / 2,
        images=images,
        accepted=images / len(ordered),
        wrong=wrong / images,
        wrong_interval=wilson_interval(wrong, images),
    )
