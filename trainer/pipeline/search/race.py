"""Races the presets that "auto" stands for: which network is worth its time on this set?

Importing this imports TensorFlow.
"""

import gc
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from shared.errors import NotLearnedError
from shared.store.builtin import STARTERS
from trainer.files.job_files import JobFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.search.part_observer import PartObserver
from trainer.pipeline.training.parameters import choose_parameters, report_settings
from trainer.pipeline.training.results import Trained, Validation
from trainer.pipeline.training.train import MAX_RESTARTS, train
from trainer.schemas.job_request import JobRequest, PresetName
from trainer.schemas.progress import Observer

RACERS: tuple[PresetName, PresetName] = ("conv", "conv-large")
"""In rising order of their time for an image."""
ENOUGH = 50
"""From so many validation images on, their texts decide; the losses of fewer tell more."""
FEWEST, SURE_LOSS = 10, 0.1
"""So many images without an error, and with so little loss in nats each, leave nothing to gain."""
LEAST_LEFT = 0.5
"""Of max_minutes; with less, the slower network would not get far."""


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
        return _Race(dataset, observer, work, job_files).run(request)
    if request.preset == "auto":
        preset = base.preset if base else None
        request = request.of_preset(preset or request.settled_preset)
    return request, train(dataset, request, observer, work, base, MAX_RESTARTS, job_files)


def _can_race(request: JobRequest) -> bool:
    """Return whether all begin with a starter, and the end is not given in epochs.

    From nothing, the smaller network always leads at first.
    """
    free = request.base == "starter" and request.hyperparameters.epochs == "auto"
    return free and all(each in STARTERS for each in RACERS)


@dataclass
class _Race:
    """Two networks on one set: the second begins if the first has learned and still errs."""

    dataset: Dataset
    observer: Observer
    work: Path
    job_files: JobFiles | None

    def run(self, request: JobRequest) -> tuple[JobRequest, Trained]:
        """Race, and train the winner to its end."""
        small, large = map(request.of_preset, RACERS)
        first = self._learn(small, None)
        if first is None or self.observer.finishing() or nothing_left(first.validation):
            return small, self._end(small, None)
        minutes = request.hyperparameters.max_minutes
        if minutes != "auto":
            left = minutes - first.seconds / 60
            if left < LEAST_LEFT * minutes:
                return small, self._end(small, None)
            shorter = request.hyperparameters.model_copy(update={"max_minutes": left})
            large = large.model_copy(update={"hyperparameters": shorter})
        self.observer.event(
            "race",
            f"{RACERS[0]} has learned in {first.seconds:.0f} s, its character error rate on "
            f"validation is {first.validation.cer:.1%}; {RACERS[1]} learns now, too.",
        )
        second = self._learn(large, first)
        if second is None:
            return small, self._end(small, None)
        better = is_better(second.validation, first.validation)
        winner, lost = (large, first) if better else (small, second)
        self._tell(winner.settled_preset, first, second)
        report_settings(*choose_parameters(winner), self.observer)
        return winner, self._end(winner, lost)

    def _learn(self, request: JobRequest, before: Trained | None) -> Trained | None:
        """Train a network until it has learned; None if it does not, as without restarts."""
        try:
            return self._train(request, PartObserver(self.observer, before, pauses=True), 0)
        except NotLearnedError:  # it has lost; the job has its restarts still
            return None
        finally:
            keras.backend.clear_session()  # else Keras holds on to the graphs of both
            gc.collect()

    def _end(self, request: JobRequest, before: Trained | None) -> Trained:
        """Train to the end; before: the other network, whose seconds were waited for, too."""
        trained = self._train(request, PartObserver(self.observer, before), MAX_RESTARTS)
        return replace(trained, seconds=trained.seconds + before.seconds) if before else trained

    def _train(self, request: JobRequest, observer: PartObserver, restarts: int) -> Trained:
        folder = self.work / request.settled_preset
        folder.mkdir(exist_ok=True)
        return train(self.dataset, request, observer, folder, None, restarts, self.job_files)

    def _tell(self, preset: PresetName, first: Trained, second: Trained) -> None:
        marks = {
            name: each.validation.cer for name, each in zip(RACERS, (first, second), strict=True)
        }
        shown = ", ".join(f"{name} {cer:.1%}" for name, cer in marks.items())
        message = f"{preset} goes on: the character error rates on validation are {shown}."
        self.observer.event("race", message, {"preset": preset, "cer": marks})


def nothing_left(validation: Validation) -> bool:
    """Return whether a network makes no error on validation, and is sure of it."""
    return (
        len(validation.edits) >= FEWEST
        and not any(validation.edits)
        and validation.loss <= SURE_LOSS
    )


def is_better(slower: Validation, faster: Validation) -> bool:
    """Return whether the slower network errs less on the same images."""
    if len(faster.edits) >= ENOUGH:
        return sum(slower.edits) < sum(faster.edits)
    return bool(np.mean(slower.losses) < np.mean(faster.losses))
