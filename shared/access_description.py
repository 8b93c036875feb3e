"""What an OpenAPI description says about keys."""

from typing import Any

from shared.api_keys import Scope

SECURITY_SCHEMES: dict[str, Any] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key that `readsmith keys create` has made. None is needed where the "
        "service runs without keys.",
    }
}


def security(scope: Scope) -> list[dict[str, list[str]]]:
    """Return an operation's requirement: a key with this scope, or none where there are none."""
    return [{"apiKey": [scope.value]}, {}]
