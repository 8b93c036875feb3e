"""Images of which some have a text that a person confirmed, and what was read on them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.pipeline.datasets.sources.source import ImageSource


@dataclass(frozen=True)
class LabelledSet:
    """Images of a source, by name."""

    source: ImageSource
    texts: Mapping[str, str]
    """Confirmed ones."""
    random: Collection[str]
    """Those of them that were shown in random order."""
    others: Sequence[str]
    """Images without a label, in random order."""


@dataclass(frozen=True)
class Reading:
    """What was read on an image."""

    text: str
    confidence: float
    look: NDArray[np.float32]
    """What the image looks like to whoever read it, (D,): alike images have alike looks."""


class TextReader(Protocol):
    """Reads the images of a labelled set; both methods raise CancelledRunError."""

    @property
    def name(self) -> str:
        """Whom the proposals are said to be from."""

    @property
    def ahead(self) -> float:
        """By how much `read` may be better than `read_confirmed`, in log odds of being right."""

    def read_confirmed(self) -> Mapping[str, Reading]:
        """Return what it reads on confirmed images that it has not learned from, by name.

        May be some of them, in no special choice.
        """

    def read(self, names: Sequence[str]) -> list[Reading]:
        """Read images of the set."""


def agreement(reader: TextReader, texts: Mapping[str, str]) -> tuple[int, int]:
    """Return on how many images a reader agrees with the confirmed text, and on how many asked."""
    read = reader.read_confirmed()
    return sum(one.text == texts[name] for name, one in read.items()), len(read)
