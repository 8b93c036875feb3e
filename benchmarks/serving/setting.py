"""Settings and types that the parts of the serving benchmark share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Row

Figures = dict[str, Any]
"""A part's measurements, as JSON."""


@dataclass(frozen=True)
class Setting:
    """The models and the image of the benchmark, and its length."""

    image: bytes
    text: str
    """The prediction of all models for the image, except ..."""
    other_text: str
    """... the prediction of version 2 in the store conv."""
    conv: Path
    """Store whose default model is of the default preset; it has two versions."""
    conv_large: Path
    """Store whose default model is of the large preset."""
    crnn: Path
    """Store whose default model is that of the tutorial."""
    scratch: Path
    quick: bool
    """Only tests that everything works."""

    def number(self, usual: int, quick: int) -> int:
        """Return a number of repetitions or seconds, smaller if quick."""
        return quick if self.quick else usual


@dataclass(frozen=True)
class Part:
    """One part: its measurement, and the table rows of its figures."""

    measure: Callable[[Setting], Figures]
    rows: Callable[[Figures], Sequence[Row]]
