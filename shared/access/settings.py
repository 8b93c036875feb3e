"""The access settings of both services."""

from pathlib import Path

from pydantic import BaseModel, Field


class AccessSettings(BaseModel):
    """Part of each service's settings."""

    keys: Path = Field(
        Path("var/keys/keys.json"),
        description="File of the API keys. If it exists, every request needs a key.",
    )
    allow_anonymous: bool = Field(
        False,
        description="Run without keys even on addresses that other machines can reach. "
        "No effect if there are keys.",
    )
    allowed_hosts: str | None = Field(
        None,
        pattern=r"^ *([A-Za-z0-9.-]+|\*) *(, *([A-Za-z0-9.-]+|\*) *)*$",
        description="Host names, separated by commas, under which services without keys may be "
        "called, besides localhost and numeric addresses. `*`: any.",
    )
    open_metrics: bool = Field(
        True,
        description="Serve `/metrics` and `/readyz` without a key; `/healthz` never needs one.",
    )
    behind_gateway: bool = Field(
        False,
        description="Trust X-Forwarded-For for clients' addresses (audit log): only where all "
        "requests come through a gateway that sets it.",
    )

    @property
    def open_paths(self) -> frozenset[str]:
        """Paths that need no key and no allowed host."""
        monitoring = ("/readyz", "/metrics") if self.open_metrics else ()
        return frozenset(("/healthz", *monitoring))
