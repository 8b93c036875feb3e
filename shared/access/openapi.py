"""What an OpenAPI description says about keys."""

from typing import Any

from shared.access.api_keys import Scope

SECURITY_SCHEMES: dict[str, Any] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key that `readsmith keys create` has made. None is needed where the "
        "service runs without keys.",
    }
}


def security(*scopes: Scope) -> list[dict[str, list[str]]]:
    """Return an operation's requirement: a key with one of these scopes, or none without keys."""
    return [*({"apiKey": [scope.value]} for scope in scopes), {}]
