"""Random requests made from a service's OpenAPI description, and what every answer must be."""

from pathlib import Path
from typing import Any

import schemathesis

from shared.api_keys import KeyFile, Scope

SEMANTIC = ["2xx", "400", "404", "409", "413", "415", "422"]
"""Answers to requests that are right by the description: it cannot say that a pattern must
compile, a picture be one, or a version exist. Nothing else may be answered."""
CONFIG = schemathesis.Config.from_dict(
    {"checks": {"positive_data_acceptance": {"expected-statuses": SEMANTIC}}}
)


def make_key(folder: Path) -> dict[str, str]:
    """Make a key for everything in the folder's keys.json; return the header that carries it."""
    token = KeyFile(folder / "keys.json").create("schemathesis", Scope)
    return {"Authorization": f"Bearer {token}"}


def call(case: schemathesis.Case[Any], app: Any, headers: dict[str, str]) -> None:
    """Send a request that may or may not be right; every check must pass."""
    case.call_and_validate(app=app, headers=headers)
