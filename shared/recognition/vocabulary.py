"""The ordered characters that a model can predict, and their class numbers."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

from shared.recognition.scripts.text_direction import turned, turned_order
from shared.texts import composed

UNKNOWN = "\ufffd"
"""Stands for a class without a character (the tutorial's ``[UNK]``)."""


class Vocabulary:
    """Maps text to CTC classes and back; the blank is the class after the last character.

    (Graves et al. 2006, "Connectionist Temporal Classification", section 3.)
    """

    def __init__(self, characters: Sequence[str], *, right_to_left: bool = False) -> None:
        """Create one; right_to_left: whether texts run so, and outputs are turned around."""
        if not characters:
            raise ValueError("a vocabulary needs at least one character")
        if any(len(character) != 1 for character in characters):
            raise ValueError("every vocabulary entry is exactly one Unicode code point")
        if len(set(characters)) != len(characters):
            raise ValueError("a vocabulary holds every character once")
        self.characters = tuple(characters)
        self.right_to_left = right_to_left
        self._classes = {character: index for index, character in enumerate(self.characters)}

    def __eq__(self, other: object) -> bool:
        """Tell whether both give the same classes."""
        return isinstance(other, Vocabulary) and self._identity == other._identity

    def __hash__(self) -> int:
        """Return a hash by which results are kept."""
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        return self.characters, self.right_to_left

    @classmethod
    def from_labels(cls, labels: Iterable[str]) -> "Vocabulary":
        """Collect the distinct characters of the labels, sorted by code point."""
        return cls(sorted(set(chain.from_iterable(labels))))

    @property
    def blank_index(self) -> int:
        """The CTC blank's class: the last one."""
        return len(self.characters)

    @property
    def classes(self) -> int:
        """The number of outputs of a model with this vocabulary, the blank included."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Return the class of each character; raises KeyError for one that is not in it."""
        return [self._classes[character] for character in self._turned(text)]

    def decode(self, classes: Iterable[int]) -> str:
        """Join the characters of these classes, none of them the blank."""
        return self._turned("".join(self.characters[index] for index in classes))

    def order(self, classes: Sequence[int]) -> Sequence[int]:
        """Return for each character of their text the index of its class."""
        if not self.right_to_left:
            return range(len(classes))
        return turned_order("".join(self.characters[index] for index in classes))

    def _turned(self, text: str) -> str:
        return turned(text) if self.right_to_left else text


def normalise_label(text: str) -> str:
    """Return the label in the form used in training and scoring: Unicode NFC, stripped.

    Measure its length first. Raises ValueError for more combining marks than any script has.
    """
    return composed(text).strip()


def required_time_steps(text: str) -> int:
    """Return the minimum time steps of CTC: one per character, one blank per adjacent repeat."""
    return len(text) + sum(a == b for a, b in pairwise(text))
