"""The interface of whoever reads images without having learned from the set's labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True)
class Guess:
    """A text and how sure its proposer is of it, in [0, 1]; not calibrated."""

    text: str
    confidence: float


class Proposer(Protocol):
    """A model or an engine."""

    @property
    def name(self) -> str:
        """As people see it: whom a proposal is from."""

    def read(self, images: Iterable[Image.Image]) -> list[Guess]:
        """Read images of one line each; an empty text where nothing is found."""

    def has_learned_from(self, image: Image.Image) -> bool:
        """Return whether it knows the image's text, so that its guess proves nothing."""
