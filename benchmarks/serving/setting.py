"""What the parts of the serving benchmark have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Row

Figures = dict[str, Any]
"""What a part measured, as JSON can hold it."""


@dataclass(frozen=True)
class Setting:
    """What is served and asked, and how long."""

    image: bytes
    text: str
    """What the models read in the image, ..."""
    other_text: str
    """... but for version 2 in the store conv."""
    conv: Path
    """Store whose default model is of the default preset; it has two versions."""
    crnn: Path
    """Store whose default model is that of the tutorial."""
    scratch: Path
    quick: bool
    """Only to see that everything works."""

    def number(self, usual: int, quick: int) -> int:
        """Return how many of something to make, or how many seconds to go on."""
        return quick if self.quick else usual


@dataclass(frozen=True)
class Part:
    """One part: how it measures, and what the table says of its figures."""

    measure: Callable[[Setting], Figures]
    rows: Callable[[Figures], Sequence[Row]]
