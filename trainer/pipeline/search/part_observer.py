"""Follows one of several trainings that make up a job's."""

from typing import Any

from shared.api.jobs import Progress
from trainer.pipeline.training.results import Trained
from trainer.schemas.progress import Observer

ONCE = ("start", "settings")
"""Events that would say the same for each training of a committee."""


class PartObserver(Observer):
    """Passes on to the job's observer: epochs and seconds count after those of the part before."""

    def __init__(
        self,
        observer: Observer,
        before: Trained | None,
        *,
        pauses: bool = False,
        following: int = 0,
        repeated: bool = False,
    ) -> None:
        """Create one.

        pauses: whether training pauses once it has learned; following: how many more trainings of
        this length come; repeated: whether another like it has told its settings already.
        """
        self._observer = observer
        self._epochs, self._seconds = (before.epochs, before.seconds) if before else (0, 0.0)
        self._pauses = pauses
        self._following = following
        self._repeated = repeated

    def progress(self, progress: Progress) -> None:
        """Pass on, counted together."""
        own = progress.seconds + progress.seconds_left
        together = {
            "epoch": progress.epoch + self._epochs,
            "epochs": progress.epochs * (1 + self._following) + self._epochs,
            "seconds": progress.seconds + self._seconds,
            "seconds_left": progress.seconds_left + self._following * own,
        }
        self._observer.progress(progress.model_copy(update=together))

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Pass on, what is repeated once."""
        if not (self._repeated and kind in ONCE):
            self._observer.event(kind, message, data)

    def estimate(self, seconds_left: float) -> None:
        """Pass on, once for all that are alike."""
        if not self._repeated:
            self._observer.estimate(seconds_left * (1 + self._following))

    def finishing(self) -> bool:
        """Ask the job's observer."""
        return self._observer.finishing()

    def pausing(self) -> bool:
        """Return whether what follows is not known yet."""
        return self._pauses

    def checkpoint(self) -> None:
        """Ask the job's observer, which may raise."""
        self._observer.checkpoint()
