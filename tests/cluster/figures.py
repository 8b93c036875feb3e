"""What a run of the test gave, as a table and as JSON."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.cluster.readers import Answers
from tests.cluster.stories import Attempt

FILE = "READSMITH_TEST_CLUSTER_JSON"
"""Names the file that the figures are written to, if they are wanted."""


@dataclass(frozen=True)
class Loss:
    """What the cut cost a job; seconds since the cut."""

    epochs: int
    noticed: float
    """Until the job was in the queue again."""
    placed: float
    """Until another node had room for it."""
    resumed: float
    """Until it went on there from its checkpoint."""


@dataclass(frozen=True)
class Figures:
    """All figures of a run."""

    stories: Mapping[str, Sequence[Attempt]]
    losses: Mapping[str, Loss]
    answers: Answers
    seconds: float

    def tell(self) -> None:
        """Print the table, and write the figures to the file that is wanted."""
        table = Table("job", "ran on", "epochs told", "epochs lost", "noticed", "placed", "resumed")
        for number, (job, attempts) in enumerate(self.stories.items(), 1):
            table.add_row(f"{number}", _machines(attempts), _epochs(attempts), *self._loss(job))
        Console(width=100).print(table)
        print(
            f"{len(self.stories)} jobs succeeded, each published once; {self.answers.requests} "
            f"predictions, {len(self.answers.failures)} failed; {self.seconds:.0f} s"
        )
        if FILE in os.environ:
            Path(os.environ[FILE]).write_text(json.dumps(self._as_json(), indent=2))

    def _loss(self, job: str) -> tuple[str, ...]:
        if job not in self.losses:
            return ()
        loss = self.losses[job]
        seconds = (loss.noticed, loss.placed, loss.resumed)
        return f"{loss.epochs}", *(f"{each:.0f} s" for each in seconds)

    def _as_json(self) -> dict[str, object]:
        return {
            "jobs": len(self.stories),
            "attempts": [len(attempts) for attempts in self.stories.values()],
            "cut_off": [asdict(loss) for loss in self.losses.values()],
            "predictions": self.answers.requests,
            "failed_predictions": len(self.answers.failures),
            "seconds": round(self.seconds, 1),
        }


def _machines(attempts: Sequence[Attempt]) -> str:
    return ", then ".join(attempt.machine or "?" for attempt in attempts)


def _epochs(attempts: Sequence[Attempt]) -> str:
    told = [attempt.epochs for attempt in attempts if attempt.epochs]
    return ", ".join(f"{epochs[0]} to {epochs[-1]}" for epochs in told)
