"""What a training run tells while it runs, and how it is told to stop."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.api.jobs import Progress, Stage
from shared.store.manifest import Calibration, Comparison, Metrics


class CancelledRunError(Exception):
    """The run was asked to stop."""


class Observer:
    """Whoever follows a run: the job store, or a progress bar. This one keeps nothing."""

    def stage(self, stage: Stage) -> None:
        """Say that a stage begins."""

    def progress(self, progress: Progress) -> None:
        """Say how training goes."""

    def summary(self, summary: dict[str, Any]) -> None:
        """Hand over the dataset summary (JSON); a search does so again for what it has chosen."""

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Say something worth keeping: a choice with its reason, a warning, a restart."""

    def estimate(self, seconds_left: float) -> None:
        """Say how long training will take, once its first steps have been timed."""
        message = f"Training will take about {in_words(seconds_left)}."
        self.event("estimate", message, {"seconds_left": seconds_left})

    def finishing(self) -> bool:
        """Return whether training should end soon, and the best be published; as of the latest
        checkpoint.
        """
        return False

    def pausing(self) -> bool:
        """Return whether training should pause once it has learned, before the learning rate
        falls, to be resumed later.
        """
        return False

    def checkpoint(self) -> None:
        """Give the chance to stop; raises CancelledRunError. Called at least once a second
        or at the next batch.
        """


def in_words(seconds: float) -> str:
    """Return a rough duration in words."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}s"
    return f"{max(10, round(seconds, -1)):.0f} seconds"


class RunResult(BaseModel):
    """What a finished run leaves behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: int
    promoted: bool = True
    """Whether the version was made current."""
    metrics: Metrics
    calibration: Calibration
    comparison: Comparison | None = None
    """With the version served before it."""
    seconds_to: dict[str, float | None]
    """Training seconds until 95 % and 99 % exact match on the validation part."""
    parameters: dict[str, Any]
    preset: str
