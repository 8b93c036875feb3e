"""What the trainer answers, typed."""

from datetime import datetime
from typing import Any

from readsmith.client.predictor import Answer

FINAL = ("succeeded", "failed", "cancelled")
"""Statuses of a job to which nothing more will happen."""


class JobProgress(Answer):
    """Where training stands; exact_match is measured on the validation part."""

    epoch: int
    epochs: int
    loss: float
    exact_match: float
    seconds_left: float
    estimated_finish_at: datetime


class JobMetrics(Answer):
    """What was measured on the test part."""

    test_images: int
    exact_match: float
    exact_match_interval: tuple[float, float]
    cer: float


class JobError(Answer):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class Trial(Answer):
    """One training run of a search; its figures are of its best epoch, on the validation part."""

    number: int
    parameters: dict[str, Any]
    status: str
    """running, finished, stopped or failed."""
    exact_match: float | None = None
    cer: float | None = None
    loss: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    error: str | None = None


class Job(Answer):
    """A training run."""

    id: str
    status: str
    """queued, running, succeeded, failed or cancelled."""
    stage: str | None = None
    """download, dataset, train, evaluate or export while the job runs."""
    model: str
    request: dict[str, Any]
    """The request as accepted, defaults filled in."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: JobProgress | None = None
    dataset: dict[str, Any] | None = None
    """What the dataset check found."""
    metrics: JobMetrics | None = None
    trials: list[Trial] | None = None
    """Of a job that searches; lists of jobs leave them out."""
    version: int | None = None
    """The version that the job published."""
    promoted: bool | None = None
    """Whether that version was made the served one."""
    error: JobError | None = None

    @property
    def is_final(self) -> bool:
        """True if nothing more will happen."""
        return self.status in FINAL


class JobPage(Answer):
    """Jobs, newest first."""

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


class Upload(Answer):
    """A zip that the trainer keeps."""

    id: str


class Version(Answer):
    """One published version; if it cannot be read, problem says why."""

    version: int
    created_at: datetime | None = None
    job_id: str | None = None
    metrics: JobMetrics | None = None
    proposed_pattern: str | None = None
    """What all its labels fit."""
    problem: str | None = None


class Model(Answer):
    """A model of the trainer's store: its kept versions, oldest first, and what is served."""

    name: str
    current: int | None
    previous: int | None
    """Where rollback goes back to."""
    pattern: str | None
    """What predictions must fit unless a request says otherwise."""
    versions: list[Version]
    problem: str | None = None
