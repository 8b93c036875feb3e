"""Exact match, character error rate and confidence interval of predictions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def edit_distance(a: str, b: str) -> int:
    """Return the fewest insertions, deletions and substitutions from a to b (Levenshtein 1966)."""
    return edit_costs(a, b)[-1][-1]


def edit_costs(a: Sequence[str], b: Sequence[str]) -> list[list[int]]:
    """Return the edit distances of all prefixes of both. (Wagner and Fischer 1974.)"""
    costs = [list(range(len(b) + 1))]
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b):
            row.append(min(costs[-1][j] + (left != right), costs[-1][j + 1] + 1, row[j] + 1))
        costs.append(row)
    return costs


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    z = 1.959964  # the 97.5th percentile of the normal distribution
    share = successes / trials
    centre = share + z * z / (2 * trials)
    margin = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


@dataclass(frozen=True)
class Score:
    """Counts summed over images; rates are divided once, at the end.

    The mean of each image's own error rate would weigh short texts more.
    """

    images: int
    exact: int
    edits: int
    characters: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Score":
        """Count over (truth, text) pairs."""
        images = exact = edits = characters = 0
        for truth, text in pairs:
            images += 1
            exact += truth == text
            edits += edit_distance(truth, text)
            characters += len(truth)
        return cls(images, exact, edits, characters)

    @property
    def exact_match(self) -> float:
        """Share of images whose whole text is correct; 0 for no images."""
        return self.exact / self.images if self.images else 0.0

    @property
    def cer(self) -> float:
        """Character error rate: edits per character of the truth; 0 for no characters."""
        return self.edits / self.characters if self.characters else 0.0
