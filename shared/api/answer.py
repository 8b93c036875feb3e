"""The root of all that a service answers."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What a service says; fields that a newer one adds are passed through."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def as_sent(self) -> dict[str, Any]:
        """Return it as JSON, nothing added and nothing left out."""
        return self.model_dump(mode="json", exclude_unset=True)
