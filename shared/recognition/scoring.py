"""How well predictions match the truth."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


def edit_distance(a: str, b: str) -> int:
    """Fewest insertions, deletions and substitutions that turn a into b (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    z = 1.959964
    share = successes / trials
    centre = share + z * z / (2 * trials)
    margin = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


@dataclass(frozen=True)
class Score:
    """Counts summed over images; the rates are divided once, at the end."""

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
        """Share of images whose whole text is right; 0 for no images."""
        return self.exact / self.images if self.images else 0.0

    @property
    def cer(self) -> float:
        """Character error rate: edits per character of the truth; 0 for no characters."""
        return self.edits / self.characters if self.characters else 0.0
