"""Races the presets that "auto" stands for: which network is worth its time on this set?

Importing this imports TensorFlow.
"""

import gc
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shared.api.jobs import Progress
from shared.errors import NotLearnedError
from shared.store.builtin import STARTERS
from trainer.files.job_files import JobFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.training.parameters import choose_parameters, report_settings
from trainer.pipeline.training.results import Trained, Validation
from trainer.pipeline.training.train import MAX_RESTARTS, train
from trainer.schemas.job_request import JobRequest, PresetName
from trainer.schemas.progress import Observer

RACERS: tuple[PresetName, PresetName] = ("conv", "conv-large")
"""In rising order of their time for an image."""
SHARE = 0.2
"""Of the time that the first is expected to train: so long each of them trains."""
CHANCE = 0.05
"""At which the slower network would win though it is no better."""
SURE = 1.645
"""The same in standard errors, one-sided."""
ENOUGH = 50
"""From so many validation images on, their texts decide; the losses of fewer tell more."""


def train_best(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    base: Base | None = None,
    job_files: JobFiles | None = None,
) -> tuple[JobRequest, Trained]:
    """Train; return the request with the preset that was trained.

    For auto it is the base's, the first of RACERS if there is no starter for all of them, or the
    winner of a race, which goes on from where the race left it. An interrupted race is resumed.
    Raises what train raises.
    """
    if request.preset == "auto" and base is None and _can_race(request):
        request = request.of_preset(_race(dataset, request, observer, work, job_files))
        work /= request.settled_preset
    elif request.preset == "auto":
        preset = base.preset if base else None
        request = request.of_preset(preset or request.settled_preset)
    return request, train(dataset, request, observer, work, base, MAX_RESTARTS, job_files)


def _can_race(request: JobRequest) -> bool:
    """Return whether all begin with a starter, and the end is not given in epochs.

    From nothing, the smaller network always leads at first.
    """
    free = request.base == "starter" and request.hyperparameters.epochs == "auto"
    return free and all(each in STARTERS for each in RACERS)


def _race(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    job_files: JobFiles | None,
) -> PresetName:
    small, large = RACERS

    def lap(preset: PresetName, over: Callable[[Progress], bool]) -> Trained | None:
        folder, aside = work / preset, _Aside(observer, over)
        folder.mkdir(exist_ok=True)
        try:
            return train(dataset, request.of_preset(preset), aside, folder, None, 0, job_files)
        except NotLearnedError:  # it has lost; the job has its restarts still
            return None
        finally:
            keras.backend.clear_session()  # else Keras holds on to the graphs of both
            gc.collect()

    first = lap(small, lambda one: one.seconds >= SHARE * (one.seconds + one.seconds_left))
    if first is None or observer.finishing():
        return small
    second = lap(large, lambda one: one.seconds >= first.seconds)
    if second is None:
        return small
    winner = large if surely_better(second.validation, first.validation) else small
    chosen, reasons = choose_parameters(request.of_preset(winner))
    report_settings(chosen, reasons, observer)
    for progress in (second if winner == large else first).history:
        observer.progress(progress)
    marks = {small: first.validation.cer, large: second.validation.cer}
    shown = ", ".join(f"{name} {cer:.1%}" for name, cer in marks.items())
    message = (
        f"{winner} goes on: after {first.seconds:.0f} s each, the character error rates on "
        f"validation are {shown}."
    )
    observer.event("race", message, {"preset": winner, "cer": marks, "seconds": first.seconds})
    return winner


def surely_better(slower: Validation, faster: Validation) -> bool:
    """Return whether the slower network is better on the same images, beyond chance."""
    if len(faster.edits) >= ENOUGH:
        gains = np.subtract(faster.edits, slower.edits)
        return _chance_of(int((gains > 0).sum()), int((gains < 0).sum())) <= CHANCE
    gains = np.subtract(faster.losses, slower.losses)
    if len(gains) < 2:
        return False
    return bool(gains.mean() > SURE * gains.std(ddof=1) / math.sqrt(len(gains)))


def _chance_of(wins: int, defeats: int) -> float:
    """Return the probability of so many wins or more of equals (sign test)."""
    pairs = wins + defeats
    return sum(math.comb(pairs, count) for count in range(wins, pairs + 1)) * 0.5**pairs


class _Aside(Observer):
    """Passes on what is asked, and little of what is told: the winner's training is shown later."""

    def __init__(self, observer: Observer, over: Callable[[Progress], bool]) -> None:
        self._observer = observer
        self._over = over

    def progress(self, progress: Progress) -> None:
        """Ignore it."""

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Ignore it."""

    def estimate(self, seconds_left: float) -> None:
        """Pass on, with the race."""
        self._observer.estimate((1 + SHARE) * seconds_left)

    def finishing(self) -> bool:
        """Ask the job's observer."""
        return self._observer.finishing()

    def pausing(self, progress: Progress) -> bool:
        """Return whether the lap is over."""
        return self._over(progress)

    def checkpoint(self) -> None:
        """Ask the job's observer, which may raise."""
        self._observer.checkpoint()
