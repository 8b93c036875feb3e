"""The settings of both services about who may ask them."""

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
        description="Answer without keys also on addresses that others can reach. "
        "No effect where there are keys.",
    )
    allowed_hosts: str | None = Field(
        None,
        pattern=r"^ *([A-Za-z0-9.-]+|\*) *(, *([A-Za-z0-9.-]+|\*) *)*$",
        description="Comma-separated host names under which services without keys may be "
        "called; localhost and numeric addresses always may. `*`: any.",
    )
    open_metrics: bool = Field(
        True,
        description="Answer `/metrics` and `/readyz` without a key; `/healthz` never needs one.",
    )
    behind_gateway: bool = Field(
        False,
        description="Trust X-Forwarded-For for clients' addresses (audit log): only where "
        "nothing but a gateway that sets it reaches the services.",
    )

    @property
    def open_paths(self) -> frozenset[str]:
        """What is answered to anyone, by any name."""
        watched = ("/readyz", "/metrics") if self.open_metrics else ()
        return frozenset(("/healthz", *watched))
