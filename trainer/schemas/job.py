"""What a job is, and which statuses may follow which."""

from typing import NamedTuple


class Claim(NamedTuple):
    """The right to run a job; a later attempt takes it away."""

    job_id: str
    attempt: int


class LostClaimError(Exception):
    """This attempt no longer holds its job."""
