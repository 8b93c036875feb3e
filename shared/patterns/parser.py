"""Parses patterns, a subset of regular expressions, into a syntax tree.

The whole text must match. Syntax and cost are checked before an automaton is built;
docs/patterns.md is the description for users.
"""

from typing import Final

from shared.errors import LimitsError, text_too_long
from shared.patterns.tree import Alternatives, Characters, Node, Repeat, Sequence
from shared.texts import composed

MAX_LENGTH: Final = 500
"""Characters in a pattern."""
MAX_NESTING: Final = 20
"""Depth of nested groups."""
MAX_SIZE: Final = 500
"""Characters of a pattern after its repeats are expanded."""

SPECIAL: Final = "\\.()[]{}|?*+^$"
"""Stand for themselves only after a backslash or inside brackets."""
SUPPORTED: Final = (
    "The whole text must match, without ^ and $. Supported: characters, ., \\d, [A-Z0-9], [^AB], "
    "(AB|C), ?, *, +, {2}, {2,4}, {2,}, and \\ before a special character meant literally."
)
SIGNS: Final[dict[str, tuple[int, int | None]]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
"""Minimum and maximum count of each repeat operator."""
ANY_CHARACTER: Final = Characters((), negated=True)


def parse_pattern(pattern: str) -> Node:
    """Parse a pattern, which may be decomposed Unicode.

    Raises UnusableError (text_too_long) or LimitsError (pattern_invalid with its position, or
    pattern_too_large).
    """
    if len(pattern) > MAX_LENGTH:
        raise text_too_long("pattern", len(pattern), MAX_LENGTH)
    try:
        parser = _Parser(composed(pattern))
    except ValueError as error:
        raise LimitsError(
            "pattern_invalid", f"The pattern {error}.", SUPPORTED, "pattern"
        ) from None
    node = parser.alternatives()
    if parser.rest():
        raise parser.error("a ) without a (")
    return node


def too_large(what: str, limit: str) -> LimitsError:
    """Return the error for a pattern that would cost too much."""
    return LimitsError(
        "pattern_too_large", f"The pattern {what}.", f"The limit is {limit}.", "pattern"
    )


def _bounded(size: int) -> int:
    # During parsing: ((a{400}){400}){400} must fail before anything expands it.
    if size > MAX_SIZE:
        raise too_large("is too large with its repeats expanded", f"{MAX_SIZE} characters")
    return size


class _Parser:
    """A recursive descent parser; its depth is that of the groups, which is bounded."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._nesting = 0

    def rest(self) -> str:
        return self._pattern[self._at :]

    def error(self, what: str) -> LimitsError:
        return LimitsError(
            "pattern_invalid",
            f"The pattern {self._pattern!r} has {what} at character {self._at + 1}.",
            SUPPORTED,
            "pattern",
        )

    def alternatives(self) -> Node:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        if len(options) == 1:
            return options[0]
        return Alternatives(tuple(options), _bounded(sum(option.size for option in options)))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.rest() and self.rest()[0] not in "|)":
            parts.append(self._repeated(self._atom()))
        if len(parts) == 1:
            return parts[0]
        return Sequence(tuple(parts), _bounded(max(1, sum(part.size for part in parts))))

    def _repeated(self, part: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return part
        minimum, maximum = bounds
        if self.rest()[:1] in ("?", "*", "+", "{"):
            raise self.error("a second repeat")
        copies = max(1, minimum if maximum is None else maximum)
        return Repeat(part, minimum, maximum, _bounded(part.size * copies))

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in SIGNS.items():
            if self._take(sign):
                return bounds
        return self._written_bounds() if self._take("{") else None

    def _written_bounds(self) -> tuple[int, int | None]:
        minimum = self._number()
        maximum: int | None = minimum
        if self._take(","):
            maximum = None if self.rest().startswith("}") else self._number()
        if not self._take("}"):
            raise self.error("no } where one is needed")
        if maximum is not None and maximum < minimum:
            raise self.error("a repeat whose maximum is below its minimum")
        return minimum, maximum

    def _number(self) -> int:
        start = self._at
        # Not isdigit(): that also takes digits of other scripts, and superscripts, where int fails.
        while self.rest() and self.rest()[0] in "0123456789":
            self._at += 1
        if start == self._at:
            raise self.error("no number where one is needed")
        return int(self._pattern[start : self._at])

    def _atom(self) -> Node:
        if self._take("("):
            return self._group()
        if self._take("["):
            return self._set()
        if self._take("."):
            return ANY_CHARACTER
        if self._take("\\"):
            return self._escape()
        if self.rest()[0] in SPECIAL:
            raise self.error(f"a {self.rest()[0]} that has no meaning there")
        return _single(self._next())

    def _group(self) -> Node:
        self._take("?:")
        if self._nesting == MAX_NESTING:
            raise too_large("nests its groups too deeply", f"{MAX_NESTING} levels")
        self._nesting += 1
        node = self.alternatives()
        self._nesting -= 1
        if not self._take(")"):
            raise self.error("no ) where one is needed")
        return node

    def _escape(self) -> Characters:
        if not self.rest():
            raise self.error("a backslash with nothing after it")
        if self._take("d"):
            return Characters((), digits=True)
        if self.rest()[0].isalnum():
            raise self.error(f"\\{self.rest()[0]}, which is not supported,")
        return _single(self._next())

    def _set(self) -> Characters:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        digits = False
        while not self._take("]"):
            item = self._set_item()
            digits = digits or item.digits
            # As in Python's re, a hyphen before the closing bracket stands for itself.
            if self.rest()[:1] == "-" and self.rest()[1:2] not in ("", "]"):
                ranges.append(self._range(item))
            else:
                ranges.extend(item.ranges)
        if not ranges and not digits:
            raise self.error("empty brackets")
        return Characters(tuple(ranges), digits, negated)

    def _set_item(self) -> Characters:
        if not self.rest():
            raise self.error("no ] where one is needed")
        return self._escape() if self._take("\\") else _single(self._next())

    def _range(self, first: Characters) -> tuple[str, str]:
        self._take("-")
        last = self._set_item()
        if first.digits or last.digits:
            raise self.error("a range with \\d")
        low, high = first.ranges[0][0], last.ranges[0][0]
        if high < low:
            raise self.error(f"the range {low}-{high}, whose end comes before its start,")
        return low, high

    def _take(self, sign: str) -> bool:
        if not self._pattern.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]


def _single(character: str) -> Characters:
    return Characters(((character, character),))
