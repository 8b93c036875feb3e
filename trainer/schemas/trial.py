"""The trials of a search, as the API shows them and as they are stored."""

import math
from typing import Protocol

from pydantic import ConfigDict, Field

from shared.api.jobs import Trial, TrialStatus


class TrialRecord(Trial):
    """A trial with all that a later attempt needs to go on with the search."""

    model_config = ConfigDict(frozen=False)

    max_minutes: float | None = None
    """What was left for training when it began."""
    scores: list[float] = Field(default_factory=list)
    """One for each epoch; see score."""
    starts: int = 0
    """How often it was begun, or taken up again, since its latest epoch."""

    @property
    def ended(self) -> bool:
        """True if nothing more will happen to it."""
        return self.status is not TrialStatus.RUNNING

    @property
    def shown(self) -> Trial:
        """What everybody sees of it."""
        return Trial.model_validate(self.model_dump(include=set(Trial.model_fields)))

    @property
    def best(self) -> float:
        """The score of the best epoch; minus infinity before the first."""
        return max(self.scores, default=-math.inf)


class TrialLog(Protocol):
    """Keeps the trials of a job, where attempts after this one find them."""

    def trials(self) -> list[TrialRecord]:
        """Return all of them, in order."""

    def trial(self, trial: TrialRecord) -> None:
        """Keep how a trial stands: when it begins and ends, and after each epoch."""


class TrialList:
    """Keeps trials in memory, for a run that has one attempt."""

    def __init__(self) -> None:
        self._trials: dict[int, TrialRecord] = {}

    def trials(self) -> list[TrialRecord]:
        """Return all of them, in order."""
        return [self._trials[number] for number in sorted(self._trials)]

    def trial(self, trial: TrialRecord) -> None:
        """Keep how a trial stands."""
        self._trials[trial.number] = trial.model_copy(deep=True)


def score(exact_match: float, cer: float, loss: float) -> float:
    """Return one number for how good a result is: exact match first, then CER, then loss.

    The order holds for validation parts of up to a million images and a million characters.
    """
    by_loss = 1 / (1 + loss) if math.isfinite(loss) else 0.0
    return exact_match - 1e-6 * min(cer, 1.0) + 1e-12 * by_loss
