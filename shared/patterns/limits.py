"""What a text must be like, and the error for limits that cannot be used."""

from dataclasses import dataclass, fields

from shared.errors import ReadsmithError


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


class LimitsError(ReadsmithError):
    """Limits that cannot be used; field names the one that is wrong."""

    def __init__(self, code: str, message: str, hint: str, field: str) -> None:
        super().__init__(code, message, hint)
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.code, self.message, self.hint, self.field))
