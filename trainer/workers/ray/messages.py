"""Messages between the worker, the driver of its Ray cluster and the cluster's nodes."""

from typing import Any, NamedTuple

from trainer.schemas.job_request import JobRequest


class Machine(NamedTuple):
    """A live node of the cluster and its total resources."""

    name: str
    cpus: float
    gpus: float
    memory_bytes: int


class AttemptState(NamedTuple):
    """The state of an attempt."""

    machine: str | None = None
    """Where it runs; None before it is placed."""
    waiting: str | None = None
    """Why it has not been placed yet."""
    code: int | None = None
    """The child's exit code."""
    lost: str | None = None
    """Why there will be no exit code."""
    never_ran: bool = False
    """Lost before it was placed."""


class TrialOrder(NamedTuple):
    """What a node needs to train a trial."""

    settings: dict[str, Any]
    """Settings.for_other_machines as JSON."""
    job_id: str
    folder: str
    """The trial's folder, relative to the job's scratch folder."""
    request: JobRequest
    """The trial's request."""
    fingerprint: str
    """Fingerprint of the dataset, which must be the same for all trials."""


class Outcome(NamedTuple):
    """How a trial ended."""

    checkpoint: bytes | None = None
    """The last checkpoint file, if the trial was trained to its end."""
    failure: str | None = None
    """Why it failed."""
    lost: bool = False
    """Its node was lost, or its process died."""
