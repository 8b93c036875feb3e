"""How right the proposals are on the images that nobody has labelled, with an honest interval.

Whether a proposal is right is modelled by its confidence, from what people confirmed or corrected;
the answer is the mean over the other images. So a confident network needs fewer answers than
counting alone would. (Prediction-powered inference: Angelopoulos et al. 2023; here by a Bayesian
logistic regression of "right" on the confidence, Platt 1999, whose posterior is summed on a grid.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.api.labelling import Estimate

FEWEST = 8
"""Answers in random order below which nothing is said."""
TARGET = 0.98
EXPONENT = 1.0
"""Errors fall as the labels to the power of minus this. Captcha Images V2 had 1.2 from 10 to 200
labels (docs/benchmarks.md); other kinds, which are harder, will have less."""

_LEAST, _MOST = 0.02, 0.98
"""Confidences beyond these are not told apart: no few dozen answers can tell how far to go."""
_SHIFT, _SLOPE, _CHOSEN = 1.0, 0.5, 1.0
"""Prior deviations: of the confidences' error in log odds, of their slope around 1, and of how
much the images that were chosen differ from others of the same confidence."""
JOINED = 1.0
"""Most log odds by which the mean of a committee is ahead of its networks, each of which knew a
quarter fewer labels: docs/decisions/0039-proposals-and-estimate.md."""
_DRAWS = 2000
_INTERVAL = (0.025, 0.975)

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Confirmation:
    """What a network that had not learned from an image read on it, and whether a person agreed."""

    confidence: float
    right: bool
    random: bool
    """Whether the image was shown in random order; otherwise it was chosen to teach."""


def calibrated(
    answers: Sequence[Confirmation], confidences: Sequence[float], ahead: float = 0.0
) -> Numbers:
    """Return the probability that a proposal of each confidence is right, (N,).

    ahead: as for `estimate`.
    """
    grid, weights = _posterior(answers)
    odds, places = np.unique(_log_odds(confidences).round(1), return_inverse=True)
    shift, slope = grid[:, 0] + ahead / 2, grid[:, 1]
    right = np.array([weights @ _right(shift, slope, odd) for odd in odds])
    return np.asarray(right[places], float)


def estimate(
    answers: Sequence[Confirmation], others: Sequence[float], remaining: int, ahead: float = 0.0
) -> Estimate | None:
    """Return how many of the other proposals are right; None with too few answers to tell.

    others: the confidences of the proposals on the images without a label, or on some of them in
    random order; remaining: how many of these images there are. Images that were chosen tell how
    right a proposal of their confidence is, but may be harder than others: the level is that of
    those in random order.
    ahead: log odds by which the proposals may at most be righter than the answers' networks were;
    anything from 0 to it is taken to be as likely.
    """
    confirmed = sum(answer.random for answer in answers)
    if confirmed < FEWEST or not others:
        return None
    odds, counts = _counted(others)
    parameters, weights = _posterior(answers)
    chance = np.random.default_rng(len(answers))
    rows = chance.choice(len(weights), _DRAWS, p=weights)
    shift = parameters[rows, :1] + ahead * chance.random((_DRAWS, 1))
    right = _right(shift, parameters[rows, 1:2], odds)
    share = right @ counts / counts.sum()
    # The others are finitely many, each right or wrong: their share varies around its expectation.
    spread = np.sqrt((right * (1 - right)) @ counts / counts.sum() / remaining)
    drawn = np.clip(share + spread * chance.standard_normal(_DRAWS), 0.0, 1.0)
    low, high = np.quantile(drawn, _INTERVAL).tolist()
    accuracy = float(share.mean())
    chances = np.repeat(right.mean(axis=0), counts)
    return Estimate(
        accuracy=accuracy,
        low=low,
        high=high,
        confirmed=confirmed,
        remaining=remaining,
        more_for_98=_more(accuracy, len(answers), chances, remaining),
    )


def _more(accuracy: float, labels: int, chances: Numbers, remaining: int) -> int | None:
    """Return about how many more labels make TARGET of what remains right; None if most of it.

    The fewer of two ways there: to learn, by the power law of the errors; or to correct what is
    least certain until the rest is right, should the networks learn nothing more.
    chances: of some of the remaining proposals to be right.
    """
    if accuracy >= TARGET:
        return 0
    learned = labels * (((1 - accuracy) / (1 - TARGET)) ** (1 / EXPONENT) - 1)
    means = np.cumsum(np.sort(chances)[::-1]) / np.arange(1, len(chances) + 1)
    corrected = np.count_nonzero(means < TARGET) / len(chances) * remaining
    more = max(1, round(min(learned, corrected)))
    return more if more <= remaining / 2 else None


def _counted(confidences: Sequence[float]) -> tuple[Numbers, NDArray[np.int_]]:
    """Return log odds, rounded to a tenth, and how many confidences have each."""
    odds, counts = np.unique(_log_odds(confidences).round(1), return_counts=True)
    return odds, counts


def _log_odds(confidences: Sequence[float]) -> Numbers:
    clipped = np.clip(np.asarray(confidences, float), _LEAST, _MOST)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _right(shift: Numbers, slope: Numbers, odds: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-(shift + slope * odds))))


def _posterior(answers: Sequence[Confirmation]) -> tuple[Numbers, Numbers]:
    """Return a grid of shift, slope and the chosen images' own shift (N, 3), and weights (N,)."""
    axes = (
        np.linspace(-3, 3, 25) * _SHIFT,
        1 + np.linspace(-2, 2, 9) * _SLOPE,
        np.linspace(-2, 2, 9) * _CHOSEN,
    )
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    shift, slope, of_chosen = grid.T
    logs = -((shift / _SHIFT) ** 2 + ((slope - 1) / _SLOPE) ** 2 + (of_chosen / _CHOSEN) ** 2) / 2
    odds = _log_odds([answer.confidence for answer in answers])
    for odd, answer in zip(odds, answers, strict=True):
        own = shift + (0.0 if answer.random else of_chosen) + slope * odd
        logs -= np.logaddexp(0, -own if answer.right else own)
    weights = np.exp(logs - logs.max())
    return grid, weights / weights.sum()
