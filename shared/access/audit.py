"""The audit log: one JSON object a line for what somebody changed, or was kept from."""

import json
import logging
from datetime import UTC, datetime

ANONYMOUS = "anonymous"
MOST_CHARACTERS = 200
"""Of each fact: some come from outside."""

log = logging.getLogger("readsmith.audit")


def start_audit_log() -> None:
    """Write the lines to stderr, whatever becomes of other logs."""
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    log.propagate = False


def audit(action: str, **facts: object) -> None:
    """Write a line; facts that are None are left out. A key is named, its token never given."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "logger": log.name,
        "action": action,
        **{name: _short(fact) for name, fact in facts.items() if fact is not None},
    }
    log.info(json.dumps(line))


def _short(fact: object) -> object:
    return fact[:MOST_CHARACTERS] if isinstance(fact, str) else fact
