"""What is wrong with an object storage."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Away:
    """Since when the storage cannot be used, and why."""

    since: datetime
    reason: str
