"""What a text must be like."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """What a text must be like; None where anything goes. Lengths are in characters."""

    pattern: str | None = None
    charset: str | None = None
    min_length: int = 0
    max_length: int | None = None

    def first(self) -> str:
        """Return the name of the first limit that is set."""
        return next((each.name for each in fields(self) if getattr(self, each.name)), "pattern")
