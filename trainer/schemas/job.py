"""What a job is, and which statuses may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from shared.errors import ReadsmithError
from shared.store.manifest import Calibration, Comparison, Metrics
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Progress, Stage
from trainer.schemas.trial import Trial


class Status(StrEnum):
    """Where a job stands; `may_become` is the whole rule."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True if nothing follows."""
        return not _NEXT[self]

    def may_become(self, other: "Status") -> bool:
        """Say whether a job in this status may move to the other."""
        return other in _NEXT[self]


_NEXT: dict[Status, set[Status]] = {
    Status.QUEUED: {Status.RUNNING, Status.CANCELLED},
    Status.RUNNING: {Status.QUEUED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.SUCCEEDED: set(),
    Status.FAILED: set(),
    Status.CANCELLED: set(),
}


class Claim(NamedTuple):
    """The right to run a job; a later attempt takes it away."""

    job_id: str
    attempt: int


class LostClaimError(Exception):
    """This attempt no longer holds its job."""


class JobError(BaseModel):
    """Why a job failed: a name for programs, what was wrong, what would be right."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: ReadsmithError) -> "JobError":
        """Keep what the exception says."""
        return cls(code=error.code, message=error.message, hint=error.hint)


class JobProgress(Progress):
    """Where training stands, and when it is expected to end."""

    estimated_finish_at: datetime


class Job(BaseModel):
    """A training run as everybody sees it; times are UTC."""

    id: str = Field(examples=["job-0123456789abcdef0123456789abcdef"])
    status: Status
    stage: Stage | None
    """Set while the job runs."""
    model: str
    preset: str
    request: JobRequest
    """The request as accepted, defaults filled in."""
    metadata: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    """How often a worker has taken the job up."""
    progress: JobProgress | None
    dataset: dict[str, Any] | None
    """The dataset summary."""
    metrics: Metrics | None
    calibration: Calibration | None
    """What confidences are worth, and what accepting those above a threshold gives."""
    comparison: Comparison | None
    """The new version and the one served before it, on the same images."""
    seconds_to: dict[str, float | None] | None
    """Training seconds until 95 % and 99 % exact match on the validation part."""
    parameters: dict[str, Any] | None
    """The hyperparameters that training used."""
    trials: list[Trial] | None
    """Of a job that searches, in the order in which they began; lists of jobs leave them out."""
    version: int | None
    """The version that the job published."""
    promoted: bool | None
    """Whether that version was made the served one."""
    error: JobError | None


class JobPage(BaseModel):
    """Jobs, newest first."""

    data: list[Job]
    has_more: bool


class Event(BaseModel):
    """Something that happened to a job; ids grow within a job."""

    id: int
    at: datetime
    type: str
    """status, stage, progress, or what the run chose to tell."""
    message: str
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events, oldest first."""

    data: list[Event]
    has_more: bool
