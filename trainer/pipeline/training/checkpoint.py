"""The checkpoint of a training run: written aside and renamed after every epoch.

Not Keras's BackupAndRestore: of 14 runs killed with SIGKILL, 10 left an unreadable checkpoint.
"""

import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.api.jobs import Progress
from shared.atomic_files import write_atomically
from trainer.files.job_files import JobFiles
from trainer.pipeline.training.results import Validation
from trainer.pipeline.training.schedule import Decay

FILE = "checkpoint.npz"


@dataclass
class State:
    """The state of a run between two epochs."""

    weights: list[NDArray[Any]]
    """All variables of model and optimizer."""
    best_weights: list[NDArray[Any]]
    restarts: int = 0
    """How often the run was restarted with gentler settings."""
    best: Validation | None = None
    since_best: int = 0
    """Epochs without a better validation result."""
    steps: int = 0
    """Batches trained on since the last restart."""
    decay: Decay | None = None
    """The end of the training, once it is known."""
    lowest_loss: float = math.inf
    """Of all epochs, on the validation part."""
    seconds: float = 0.0
    """Of training so far, in all attempts."""
    seconds_before: float = 0.0
    """Of these, before the last restart."""
    seconds_to: dict[str, float | None] = field(default_factory=dict)
    history: list[Progress] = field(default_factory=list)

    @property
    def epoch(self) -> int:
        """The number of completed epochs."""
        return self.history[-1].epoch if self.history else 0

    def record(
        self, validation: Validation, weights: list[NDArray[Any]], *, choose: bool = True
    ) -> None:
        """Record a validation; retain its weights if it is at least as good as the best.

        choose: whether validation chooses the weights; else the last ones are retained.
        """
        key = _key(validation)
        better = self.best is None or key > _key(self.best)
        improved = better or validation.loss < self.lowest_loss
        self.since_best = 0 if improved else self.since_best + 1
        self.lowest_loss = min(self.lowest_loss, validation.loss)
        # Of equals the later: its learning rate was lower, and the last, smallest steps bring the
        # last per cent.
        if not choose or self.best is None or key >= _key(self.best):
            self.best, self.best_weights = validation, weights


def _key(validation: Validation) -> tuple[bool, float, float]:
    # Weights of a constant rate are noisy: where one of many validations of 90 images had none
    # wrong, the test part had 83 of 90 correct; at the end of the decay, 87.
    return validation.decaying, validation.exact_match, -validation.cer


def save(folder: Path, state: State, run: str, job_files: JobFiles | None = None) -> None:
    """Write the state; run identifies what is trained, so that no other training resumes it.

    job_files: stores a copy, because the run may resume on another machine.
    """
    rest = vars(state) | {
        "run": run,
        "best": vars(state.best) if state.best else None,
        "decay": vars(state.decay) if state.decay else None,
        "history": [progress.model_dump() for progress in state.history],
    }
    weights, best_weights = rest.pop("weights"), rest.pop("best_weights")
    arrays = {f"weight_{index:04}": array for index, array in enumerate(weights)}
    arrays |= {f"best_{index:04}": array for index, array in enumerate(best_weights)}
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
        if rest.pop("run") != run:
            return None
        names = sorted(arrays.files)
        weights = [arrays[name] for name in names if name.startswith("weight_")]
        best_weights = [arrays[name] for name in names if name.startswith("best_")]
    rest["best"] = Validation(**rest["best"]) if rest["best"] else None
    rest["decay"] = Decay(**rest["decay"]) if rest["decay"] else None
    rest["history"] = [Progress(**progress) for progress in rest["history"]]
    return State(weights, best_weights, **rest)
