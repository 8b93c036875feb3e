"""Forecasts the error by the number of labels: a power law through a few measured points.

error(labels) = a · labels^-b (Hestness et al. 2017, "Deep Learning Scaling is Predictable,
Empirically"). It holds once a model has begun to learn; earlier runs are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recognition.scoring import wilson_interval

MIN_LEARNED = 0.1
"""A run with a lower exact match has not left the CTC plateau yet."""
DRAWS = 10_000
QUANTILES = (0.5, 0.025, 0.975)


@dataclass(frozen=True)
class Point:
    """One training run: its labels, and its correct predictions (exact) on the test images."""

    labels: int
    exact: int
    images: int

    @property
    def exact_match(self) -> float:
        """Share of the test images whose whole text is correct."""
        return self.exact / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the exact match."""
        return wilson_interval(self.exact, self.images)


@dataclass(frozen=True)
class Quantiles:
    """A median with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What the power law predicts for twice the labels of the largest run."""

    labels: int
    errors_left: Quantiles
    """Errors with twice the labels over the errors now; above 1 if they increase."""
    exact_match: Quantiles


def forecast(points: Sequence[Point]) -> Forecast | None:
    """Fit the power law; None where fewer than two of the runs learned.

    Each point's error is sampled from its posterior (a Beta distribution with Jeffreys' prior),
    and a line fitted to the logarithms of each sample; the intervals are those of the lines. They
    cover the size of the test part, not how two trainings on the same labels differ.
    """
    learned = [point for point in points if point.exact_match >= MIN_LEARNED]
    if len({point.labels for point in learned}) < 2:
        return None
    labels = np.log([point.labels for point in learned])
    errors = np.log(_drawn_errors(learned))
    target = 2 * max(point.labels for point in learned)
    slopes, values = _lines(labels, errors, float(np.log(target)))
    return Forecast(
        labels=target,
        errors_left=_estimate(2.0**slopes),
        exact_match=_estimate(1 - np.minimum(1.0, np.exp(values))),
    )


def _drawn_errors(points: Sequence[Point]) -> NDArray[np.float64]:
    """Return samples of each point's error, float64 (DRAWS, points)."""
    wrong = np.array([point.images - point.exact for point in points])
    correct = np.array([point.exact for point in points])
    # Jeffreys' prior adds one half to each count: a run without errors has no logarithm.
    return np.random.default_rng(0).beta(wrong + 0.5, correct + 0.5, (DRAWS, len(points)))


def _lines(
    x: NDArray[np.float64], y: NDArray[np.float64], at: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a line to each row of y by weighted least squares; return slopes and values at a point.

    x: float64 (points,); y: float64 (rows, points). Weights are inverse variances.
    """
    weights = 1 / y.var(axis=0)
    weights /= weights.sum()
    middle = weights @ x
    heights = y @ weights
    slopes = y @ (weights * (x - middle)) / (weights @ (x - middle) ** 2)
    return slopes, heights + slopes * (at - middle)


def _estimate(values: NDArray[np.float64]) -> Quantiles:
    return Quantiles(*(float(value) for value in np.quantile(values, QUANTILES)))
