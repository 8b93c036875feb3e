"""The state of a starter's training in its work folder: written aside and renamed."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from shared.atomic_files import write_atomically
from trainer.pipeline.starter.learner import Learner

FILE = "checkpoint.npz"


@dataclass
class Course:
    """How far a training is."""

    seed: int
    characters: str
    """The vocabulary, in class order."""
    steps: int = 0
    """Of the optimizers."""
    seconds: float = 0.0
    """Of training, in all attempts."""
    starts: int = 0
    """How often the drawing began: each time with lines of its own."""


def save(work: Path, course: Course, learners: Sequence[Learner]) -> None:
    """Write the course, and all variables of each network and its optimizer."""
    arrays = {
        f"{learner.preset}/{number:04}": variable.numpy()
        for learner in learners
        for number, variable in enumerate(learner.variables)
    }
    described = json.dumps(asdict(course)).encode()
    buffer = io.BytesIO()
    np.savez(buffer, course=np.frombuffer(described, np.uint8), **arrays)
    work.mkdir(parents=True, exist_ok=True)
    write_atomically(work / FILE, buffer.getvalue())


def read_course(work: Path) -> Course | None:
    """Return the course of the training in this folder; None where none was saved."""
    if not (work / FILE).is_file():
        return None
    with np.load(work / FILE, allow_pickle=False) as arrays:
        return Course(**json.loads(arrays["course"].tobytes()))


def restore(work: Path, learner: Learner) -> bool:
    """Bring a network and its optimizer to their saved state; False where there is none."""
    with np.load(work / FILE, allow_pickle=False) as arrays:
        names = sorted(name for name in arrays.files if name.startswith(f"{learner.preset}/"))
        for name, variable in zip(names, learner.variables if names else (), strict=True):
            variable.assign(arrays[name])
    return bool(names)
