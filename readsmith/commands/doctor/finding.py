"""What `readsmith doctor` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How something is: a warning works, a problem does not."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what to do about it if anything."""

    check: str
    state: Severity
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(check, Severity.OK, message)


def warning(check: str, message: str, advice: str) -> Finding:
    """Return a finding that should be looked after."""
    return Finding(check, Severity.WARNING, message, advice)


def problem(check: str, message: str, advice: str) -> Finding:
    """Return a finding with which training or reading fails."""
    return Finding(check, Severity.PROBLEM, message, advice)
