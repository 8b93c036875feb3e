"""The limits that a predicted text must fit."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True)
class Limits:
    """The limits that a predicted text must fit; None for no limit. Lengths are in characters."""

    pattern: str | None = None
    charset: str | None = None
    min_length: int = 0
    max_length: int | None = None
    allowed: tuple[str, ...] | None = None
    """The texts that it may be, in Unicode's composed form."""
    check_digit: str | None = None
    """The rule of CHECK_RULES that it must fit."""

    def first(self) -> str:
        """Return the name of the first limit that is set."""
        return next((each.name for each in fields(self) if getattr(self, each.name)), "pattern")


ANYTHING: Final = Limits()
