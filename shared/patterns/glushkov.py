"""The positions of a pattern, and which may follow which (Glushkov 1961).

A position is an occurrence of a character set in the pattern with its repeats expanded. Sets of
positions are integers, a bit for each. Bit 0 is the position before the text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.patterns.tree import Alternatives, Characters, Node, Repeat, Sequence

START: Final = 1
"""The set of the position before the text."""


# Integers as bit sets: the automaton's union and intersection are then one operation each.
@dataclass
class Positions:
    """The positions of one pattern.

    by_characters: the positions of each character set. follow: for each position, those that may
    come next. ends: those where a text may end.
    """

    by_characters: dict[Characters, int] = field(default_factory=dict)
    follow: list[int] = field(default_factory=lambda: [0])
    ends: int = 0

    @classmethod
    def of(cls, pattern: Node) -> "Positions":
        """Number a pattern's positions, its repeats expanded."""
        positions = cls()
        whole = _build(pattern, positions)
        positions.follow[0] = whole.first
        positions.ends = whole.last | (START if whole.empty else 0)
        return positions

    def after(self, positions: int) -> int:
        """Return the positions that may follow any of these."""
        return _union(self.follow[position] for position in _members(positions))

    def of_character(self, character: str) -> int:
        """Return the positions whose character set holds this character."""
        return _union(
            positions for each, positions in self.by_characters.items() if character in each
        )

    def add(self, characters: Characters) -> int:
        """Number one more position and return it."""
        position = 1 << len(self.follow)
        self.follow.append(0)
        self.by_characters[characters] = self.by_characters.get(characters, 0) | position
        return position

    def connect(self, last: int, first: int) -> None:
        """Let the positions in first follow those in last."""
        for position in _members(last):
            self.follow[position] |= first


@dataclass(frozen=True)
class _Part:
    """A part of the pattern: its first and last positions, and whether it may be empty."""

    first: int
    last: int
    empty: bool


_NOTHING: Final = _Part(0, 0, empty=True)


def _build(node: Node, positions: Positions) -> _Part:
    match node:
        case Characters():
            position = positions.add(node)
            return _Part(position, position, empty=False)
        case Sequence(parts):
            whole = _NOTHING
            for part in parts:
                whole = _chain(whole, _build(part, positions), positions)
            return whole
        case Alternatives(options):
            built = [_build(option, positions) for option in options]
            return _Part(
                first=_union(part.first for part in built),
                last=_union(part.last for part in built),
                empty=any(part.empty for part in built),
            )
        case Repeat(part, minimum, maximum):
            return _repeat(part, minimum, maximum, positions)


def _chain(left: _Part, right: _Part, positions: Positions) -> _Part:
    positions.connect(left.last, right.first)
    return _Part(
        first=left.first | (right.first if left.empty else 0),
        last=right.last | (left.last if right.empty else 0),
        empty=left.empty and right.empty,
    )


def _repeat(node: Node, minimum: int, maximum: int | None, positions: Positions) -> _Part:
    """Expand a repeat: a{2,4} to aa(a(a)?)?, a{2,} to aa+."""
    # From the right, because each optional copy contains the next.
    tail = _NOTHING
    if maximum is None:
        last = _build(node, positions)
        positions.connect(last.last, last.first)
        tail = _Part(last.first, last.last, last.empty or minimum == 0)
    else:
        for _ in range(maximum - minimum):
            longer = _chain(_build(node, positions), tail, positions)
            tail = _Part(longer.first, longer.last, empty=True)
    for _ in range(minimum if maximum is not None else minimum - 1):
        tail = _chain(_build(node, positions), tail, positions)
    return tail


def _members(positions: int) -> Iterator[int]:
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest


def _union(sets: Iterable[int]) -> int:
    union = 0
    for each in sets:
        union |= each
    return union
