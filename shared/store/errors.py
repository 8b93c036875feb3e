"""What is wrong with an object storage."""

from dataclasses import dataclass
from datetime import datetime

from shared.errors import ReadsmithError


class StorageError(ReadsmithError):
    """The object storage cannot be used; code storage_unavailable."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("storage_unavailable", message, hint)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.hint))


class StorageAwayError(StorageError):
    """The storage does not answer, or not as it should: it may do so later."""


@dataclass(frozen=True)
class Away:
    """Since when the storage cannot be used, and why."""

    since: datetime
    reason: str
