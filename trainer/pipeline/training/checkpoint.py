"""What a training run needs to go on after a cut: written aside and renamed after every epoch."""

import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.atomic_files import write_atomically
from trainer.files.job_files import JobFiles
from trainer.pipeline.training.results import Validation
from trainer.schemas.progress import Progress

FILE = "checkpoint.npz"


@dataclass
class State:
    """Where a run stands between two epochs."""

    weights: list[NDArray[Any]]
    """All variables of model and optimizer."""
    best_weights: list[NDArray[Any]]
    restarts: int = 0
    """How often the run was started again with gentler settings."""
    best: Validation | None = None
    since_best: int = 0
    """Epochs without a better validation result."""
    skipped: int = 0
    """Epochs of the schedule that are left out."""
    lowest_loss: float = math.inf
    """On the validation part, of all epochs."""
    seconds: float = 0.0
    """Trained so far, over all attempts."""
    seconds_before: float = 0.0
    """Of these, in earlier tries."""
    seconds_to: dict[str, float | None] = field(default_factory=dict)
    history: list[Progress] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    def record(self, validation: Validation, weights: list[NDArray[Any]]) -> None:
        """Keep the weights if they read the validation part as well as the best, or better.

        Of equals the later are kept: the learning rate has come down further.
        """
        key = _key(validation)
        better = self.best is None or key > _key(self.best)
        improved = better or validation.loss < self.lowest_loss
        self.since_best = 0 if improved else self.since_best + 1
        self.lowest_loss = min(self.lowest_loss, validation.loss)
        if self.best is None or key >= _key(self.best):
            self.best, self.best_weights = validation, weights


def _key(validation: Validation) -> tuple[float, float]:
    return validation.exact_match, -validation.cer


def save(folder: Path, state: State, run: str, job_files: JobFiles | None = None) -> None:
    """Write the state; run names what is trained, so that nothing else takes it up.

    kept: where it is saved, too, because the run may go on on another machine.
    """
    rest = {
        "run": run,
        "restarts": state.restarts,
        "best": vars(state.best) if state.best else None,
        "since_best": state.since_best,
        "skipped": state.skipped,
        "lowest_loss": state.lowest_loss,
        "seconds": state.seconds,
        "seconds_before": state.seconds_before,
        "seconds_to": state.seconds_to,
        "history": [progress.model_dump() for progress in state.history],
    }
    arrays: dict[str, Any] = {
        f"weight_{index:04}": array for index, array in enumerate(state.weights)
    }
    arrays |= {f"best_{index:04}": array for index, array in enumerate(state.best_weights)}
    buffer = io.BytesIO()
    np.savez(buffer, state=np.frombuffer(json.dumps(rest).encode(), np.uint8), **arrays)
    write_atomically(folder / FILE, buffer.getvalue())
    if job_files is not None:
        job_files.save(folder / FILE)


def load(folder: Path, run: str, job_files: JobFiles | None = None) -> State | None:
    """Return the state of the same run, None if there is none."""
    path = folder / FILE
    if job_files is not None:
        job_files.fetch(path)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        rest = json.loads(arrays["state"].tobytes())
        if rest["run"] != run:
            return None
        names = sorted(arrays.files)
        return State(
            weights=[arrays[name] for name in names if name.startswith("weight_")],
            best_weights=[arrays[name] for name in names if name.startswith("best_")],
            restarts=rest["restarts"],
            best=Validation(**rest["best"]) if rest["best"] else None,
            since_best=rest["since_best"],
            skipped=rest["skipped"],
            lowest_loss=rest["lowest_loss"],
            seconds=rest["seconds"],
            seconds_before=rest["seconds_before"],
            seconds_to=rest["seconds_to"],
            history=[Progress(**progress) for progress in rest["history"]],
        )
