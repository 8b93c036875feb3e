"""An observer for tests: it keeps what a run tells, and can ask it to stop."""

from typing import Any

from shared.api.jobs import Progress, Stage
from trainer.schemas.progress import CancelledRunError, Observer


class Recorder(Observer):
    """Keeps everything; raises CancelledRunError at the checkpoint after cancel_after others.

    After finish_after checkpoints it asks the run to finish.
    """

    def __init__(self, cancel_after: int | None = None, finish_after: int | None = None) -> None:
        self.cancel_after = cancel_after
        self.finish_after = finish_after
        self.checkpoints = 0
        self.stages: list[Stage] = []
        self.epochs: list[Progress] = []
        self.summaries: list[dict[str, Any]] = []
        self.events: list[tuple[str, str]] = []

    def stage(self, stage: Stage) -> None:
        self.stages.append(stage)

    def progress(self, progress: Progress) -> None:
        self.epochs.append(progress)

    def summary(self, summary: dict[str, Any]) -> None:
        self.summaries.append(summary)

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        self.events.append((kind, message))

    def checkpoint(self) -> None:
        if self.cancel_after is not None and self.checkpoints >= self.cancel_after:
            raise CancelledRunError
        self.checkpoints += 1

    def finishing(self) -> bool:
        return self.finish_after is not None and self.checkpoints >= self.finish_after
