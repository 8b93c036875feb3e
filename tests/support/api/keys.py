"""API keys for tests, and requests that carry them."""

from datetime import timedelta
from pathlib import Path

from shared.access.api_keys import KeyFile
from shared.access.tokens import Scope


def bearer(
    keys: Path,
    name: str,
    *scopes: Scope,
    lifetime: timedelta | None = None,
    requests_per_minute: int | None = None,
) -> dict[str, str]:
    """Make a key; return the header of a request that carries it."""
    token = KeyFile(keys).create(name, scopes, lifetime, requests_per_minute)
    return {"Authorization": f"Bearer {token}"}
