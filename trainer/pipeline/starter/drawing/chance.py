"""Random choices, all from one seed."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Shape = tuple[int, ...]


class Chance:
    """Random numbers for drawing; equal seeds give equal numbers.

    Single numbers come from `random`, which is ten times as fast as NumPy for them.
    """

    def __init__(self, seed: int) -> None:
        self._single = random.Random(seed)  # noqa: S311 - nothing secret
        self._arrays = np.random.default_rng(seed)

    def maybe(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._single.random() < probability

    def uniform(self, low: float, high: float) -> float:
        """Return a number between the two."""
        return low + (high - low) * self._single.random()

    def log_uniform(self, low: float, high: float) -> float:
        """Return a number between the two; each doubling is as likely as any other."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, spread: float) -> float:
        """Return a number of the normal distribution around 0."""
        return self._single.gauss(0, spread)

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int(self._single.random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[int(self._single.random() * len(options))]

    def weighted(self, shares: Mapping[T, float]) -> T:
        """Return one of the keys, as often as its share says."""
        return self._single.choices(list(shares), list(shares.values()))[0]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return that many different options, in random order."""
        return self._single.sample(options, min(count, len(options)))

    def noise(self, shape: Shape) -> NDArray[np.float32]:
        """Return an array of the standard normal distribution."""
        return self._arrays.standard_normal(shape, np.float32)

    def grain(self, shape: Shape) -> NDArray[np.float32]:
        """Return an array of numbers between 0 and 1."""
        return self._arrays.random(shape, np.float32)
