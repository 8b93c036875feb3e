"""The syntax tree of a pattern: characters, sequences, alternatives and repeats."""

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
    """The part, repeated minimum to maximum times; maximum is None for any number."""

    part: "Node"
    minimum: int
    maximum: int | None
    size: int


Node = Characters | Sequence | Alternatives | Repeat
"""Size: the number of character sets in a node with its repeats expanded, at least 1."""
