"""What the trainer answers about jobs, and which status may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.api.answer import Answer
from shared.errors import ReadsmithError
from shared.store.manifest import Calibration, Comparison, Metrics


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


class JobKind(StrEnum):
    """What a job does; trainings go first."""

    TRAIN = "train"
    """Trains a model, and publishes a version of it."""
    LEARN = "learn"
    """Learns from a living dataset's labels, and proposes texts for its other images."""


class Stage(StrEnum):
    """The stages of a running job, in order."""

    DOWNLOAD = "download"
    DATASET = "dataset"
    TRAIN = "train"
    EVALUATE = "evaluate"
    EXPORT = "export"


class Progress(Answer):
    """Where training stands; sent after each validation."""

    epoch: int
    epochs: int
    """Expected in all; certain only where the request says how many, or once the rate falls."""
    loss: float
    validation_loss: float
    exact_match: float
    """On the validation part."""
    cer: float | None = None
    """On the validation part; null in what an earlier release has told."""
    images_per_second: float
    seconds: float
    """Since training began."""
    seconds_left: float
    """Estimated: training ends when validation stops improving, which may be sooner or later."""


class JobProgress(Progress):
    """Where training stands, and when it is expected to end."""

    estimated_finish_at: datetime


class JobError(Answer):
    """Why a job failed: a name for programs, what was wrong, what would be right."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: ReadsmithError) -> "JobError":
        """Keep what the exception says."""
        return cls(code=error.code, message=error.message, hint=error.hint)


Value = bool | int | float | str
"""Of a searched parameter."""


def value_text(value: Value) -> str:
    """Write a parameter's value for people."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class TrialStatus(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    """Early: at the same epoch, others read clearly more."""
    FAILED = "failed"


class Trial(Answer):
    """One training run of a search; its figures are of its best epoch, on the validation part."""

    number: int
    """From 1, in the order in which they began."""
    parameters: dict[str, Value]
    """What the search chose."""
    status: TrialStatus = TrialStatus.RUNNING
    exact_match: float | None = None
    cer: float | None = None
    loss: float | None = None
    """Mean CTC loss per image, in nats."""
    epochs: int = 0
    """Trained so far."""
    seconds: float = 0.0
    """Trained so far."""
    error: str | None = None
    """Why it failed."""


class Job(Answer):
    """A training run as everybody sees it; times are UTC."""

    id: str = Field(examples=["job-0123456789abcdef0123456789abcdef"])
    kind: JobKind = JobKind.TRAIN
    """train, or learn for one that POST /datasets/{id}/learn makes; lists hold trainings only."""
    status: Status
    stage: Stage | None = None
    """Set while the job runs."""
    model: str
    preset: str
    request: dict[str, Any] = Field(title="Requested")  # else generators call it JobRequest, too
    """The request as accepted, defaults filled in; lists of jobs leave out `relabel`."""
    metadata: dict[str, str]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int
    """How often a worker has taken the job up."""
    finish_requested: bool = False
    """Whether it was asked to end its training and publish what it has learned."""
    progress: JobProgress | None = None
    dataset: dict[str, Any] | None = None
    """The dataset summary; lists of jobs leave it out."""
    metrics: Metrics | None = None
    calibration: Calibration | None = None
    """What confidences are worth, and what accepting those above a threshold gives."""
    comparison: Comparison | None = None
    """The new version and the one served before it, on the same images."""
    seconds_to: dict[str, float | None] | None = None
    """Training seconds until 95 % and 99 % exact match on the validation part."""
    parameters: dict[str, Any] | None = None
    """The hyperparameters that training used."""
    trials: list[Trial] | None = None
    """Of a job that searches, in the order in which they began; lists of jobs leave them out."""
    version: int | None = None
    """The version that the job published."""
    promoted: bool | None = None
    """Whether that version was made the served one."""
    error: JobError | None = None

    @property
    def is_final(self) -> bool:
        """True if nothing more will happen."""
        return self.status.is_final


class JobPage(Answer):
    """Jobs, newest first, without what may be large: `relabel`, `dataset` and `trials`."""

    data: list[Job]
    has_more: bool


class Event(Answer):
    """Something that happened to a job; ids grow within a job."""

    id: int
    at: datetime
    type: str
    """status, stage, progress, or what the run chose to tell."""
    message: str
    data: dict[str, Any]


class EventPage(Answer):
    """Events, oldest first."""

    data: list[Event]
    has_more: bool
