"""What a pattern is once it was read: characters, one after the other, or, and again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Characters:
    """One character out of a set: inside one of the ranges, or outside of all if negated."""

    ranges: tuple[tuple[str, str], ...]
    digits: bool = False
    """Every decimal digit of Unicode belongs to the set too, as with Python's \\d."""
    negated: bool = False
    size: int = 1

    def __contains__(self, character: str) -> bool:
        found = any(low <= character <= high for low, high in self.ranges)
        return (found or (self.digits and character.isdecimal())) != self.negated


@dataclass(frozen=True)
class Sequence:
    """One part after the other."""

    parts: tuple["Node", ...]
    size: int


@dataclass(frozen=True)
class Alternatives:
    """Any one of the options."""

    options: tuple["Node", ...]
    size: int


@dataclass(frozen=True)
class Repeat:
    """The part at least and at most so many times; most is None for any number."""

    part: "Node"
    least: int
    most: int | None
    size: int


Node = Characters | Sequence | Alternatives | Repeat
"""Size: how many sets of characters a node has when its repeats are written out, at least 1."""
