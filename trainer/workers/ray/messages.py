"""What the worker, the driver of its Ray cluster and the machines tell one another."""

from typing import Any, NamedTuple

from trainer.schemas.job_request import JobRequest


class Machine(NamedTuple):
    """A living node of the cluster, and what it has in all."""

    name: str
    cpus: float
    gpus: float
    memory_bytes: int


class AttemptState(NamedTuple):
    """How an attempt stands."""

    machine: str | None = None
    """Where it runs; None before it has a place."""
    waiting: str | None = None
    """For what it waits, while it has no place."""
    code: int | None = None
    """The child's exit code."""
    lost: str | None = None
    """Why there will be no exit code."""
    never_ran: bool = False
    """Lost, before the cluster had found a place for it."""


class TrialOrder(NamedTuple):
    """What a node needs to train a trial."""

    settings: dict[str, Any]
    """As other machines must have them, JSON."""
    job_id: str
    folder: str
    """The trial's, below the job's scratch folder."""
    request: JobRequest
    """The trial's own."""
    fingerprint: str
    """Of the dataset, which must be the same for all trials."""


class Outcome(NamedTuple):
    """How a trial ended."""

    checkpoint: bytes | None = None
    """If it was trained to its end."""
    failure: str | None = None
    """Why it failed."""
    lost: bool = False
    """Its node is gone, or its process has died."""
