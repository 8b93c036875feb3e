"""The part of an OpenAPI description that is about keys."""

from typing import Any

from shared.access.tokens import Scope

SECURITY_SCHEMES: dict[str, Any] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key from `readsmith keys create`. Not needed where the service runs "
        "without keys.",
    }
}


def security(*scopes: Scope) -> list[dict[str, list[str]]]:
    """Return an operation's security requirement: a key with one of these scopes.

    The empty entry stands for services that run without keys.
    """
    return [*({"apiKey": [scope.value]} for scope in scopes), {}]
