"""The audit log: one JSON object per line for each change and each rejected request."""

import json
import logging
from datetime import UTC, datetime

ANONYMOUS = "anonymous"
MAX_CHARACTERS = 200
"""Of each fact: clients choose some of them."""

log = logging.getLogger("readsmith.audit")


def start_audit_log() -> None:
    """Write the audit log to stderr, however the other logs are configured."""
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    log.propagate = False


def audit(action: str, **facts: object) -> None:
    """Write a line; facts that are None are left out. Pass a key's name, never its token."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "logger": log.name,
        "action": action,
        **{name: _short(fact) for name, fact in facts.items() if fact is not None},
    }
    log.info(json.dumps(line))


def _short(fact: object) -> object:
    return fact[:MAX_CHARACTERS] if isinstance(fact, str) else fact
