"""The places of a pattern where a character stands, and which may follow which (Glushkov 1961).

Sets of places are integers, a bit for each. Bit 0 is the place before the text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.patterns.tree import Alternatives, Characters, Node, Repeat, Sequence

START: Final = 1
"""The set that holds the place before the text only."""


@dataclass
class Positions:
    """The places of one pattern, by the characters that may stand there.

    follow: for each place, those that may come next. ends: those where a text may end.
    """

    places: dict[Characters, int] = field(default_factory=dict)
    follow: list[int] = field(default_factory=lambda: [0])
    ends: int = 0

    @classmethod
    def of(cls, pattern: Node) -> "Positions":
        """Number a pattern's places, its repeats written out."""
        positions = cls()
        whole = _build(pattern, positions)
        positions.follow[0] = whole.first
        positions.ends = whole.last | (START if whole.empty else 0)
        return positions

    def after(self, places: int) -> int:
        """Return the places that may follow any of these."""
        return _union(self.follow[place] for place in _members(places))

    def of_character(self, character: str) -> int:
        """Return the places where this character may stand."""
        return _union(places for each, places in self.places.items() if character in each)

    def add(self, characters: Characters) -> int:
        """Number one more place and return it."""
        place = 1 << len(self.follow)
        self.follow.append(0)
        self.places[characters] = self.places.get(characters, 0) | place
        return place

    def connect(self, last: int, first: int) -> None:
        """Let the second places follow the first."""
        for place in _members(last):
            self.follow[place] |= first


@dataclass(frozen=True)
class _Part:
    """A part of the pattern: where it may begin and end, and whether it may be empty."""

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
        case Repeat(part, least, most):
            return _repeat(part, least, most, positions)


def _chain(left: _Part, right: _Part, positions: Positions) -> _Part:
    positions.connect(left.last, right.first)
    return _Part(
        first=left.first | (right.first if left.empty else 0),
        last=right.last | (left.last if right.empty else 0),
        empty=left.empty and right.empty,
    )


def _repeat(node: Node, least: int, most: int | None, positions: Positions) -> _Part:
    """Write a repeat out: a{2,4} as aa(a(a)?)?, a{2,} as aa+."""
    tail = _NOTHING
    if most is None:
        last = _build(node, positions)
        positions.connect(last.last, last.first)
        tail = _Part(last.first, last.last, last.empty or least == 0)
    else:
        for _ in range(most - least):
            longer = _chain(_build(node, positions), tail, positions)
            tail = _Part(longer.first, longer.last, empty=True)
    for _ in range(least if most is not None else least - 1):
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
