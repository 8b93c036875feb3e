"""Trains the networks of a small dataset, each without one fold, and joins them.

All begin with the starter, so the mean of their weights is a network that has learned from every
label. (Wortsman et al. 2022, "Model soups".)
Importing this imports TensorFlow.
"""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import keras
import numpy as np

from trainer.files.job_files import JobFiles
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.search.part_observer import PartObserver
from trainer.pipeline.search.race import ENOUGH, LEAST_LEFT, RACERS, is_better, nothing_left
from trainer.pipeline.search.self_training import is_worse, self_labelled
from trainer.pipeline.training.diagnosis import did_not_learn, no_better_than_chance
from trainer.pipeline.training.parameters import choose_parameters, report_settings
from trainer.pipeline.training.results import Trained, Validation, Weights
from trainer.pipeline.training.train import MAX_RESTARTS, train
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer


def train_committee(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    job_files: JobFiles | None = None,
) -> tuple[JobRequest, Trained]:
    """Train a network without each fold; return their mean, and the request with its preset.

    For auto the second of RACERS is tried, too, unless the first leaves nothing to gain, and the
    one that errs less on all folds is returned; too few images to tell are left to the second.
    What was interrupted is resumed.
    Raises what train raises, and did_not_learn also if they err as chance does.
    """
    committee = _Committee(dataset, observer, work, job_files)
    if request.preset == "auto":
        request, trained = _better(committee, request)
    else:
        trained = committee.train(request, None)
    if len(dataset.unlabelled) and not (observer.finishing() or nothing_left(trained.validation)):
        trained = _taught(committee, request, trained)
    if no_better_than_chance(trained.validation, dataset.labels):
        raise did_not_learn(dataset, trained.validation, len(trained.committee))
    return request, trained


def _better(committee: "_Committee", request: JobRequest) -> tuple[JobRequest, Trained]:
    small, large = map(request.of_preset, RACERS)
    if len(committee.dataset.measured) < ENOUGH:
        return large, committee.train(large, None)
    first = committee.train(small, None)
    minutes = request.hyperparameters.max_minutes
    if minutes != "auto":
        left = minutes - first.seconds / 60
        if left < LEAST_LEFT * minutes:
            return small, first
        large = _within(large, left)
    if committee.observer.finishing() or nothing_left(first.validation):
        return small, first
    second = committee.train(large, first)
    better = is_better(second.validation, first.validation)
    winner, trained = (large, second) if better else (small, _together(second, first))
    marks = {each.preset: one.validation.cer for each, one in ((small, first), (large, second))}
    shown = ", ".join(f"{name} {cer:.1%}" for name, cer in marks.items())
    message = f"{winner.preset} is taken: the character error rates on the folds are {shown}."
    committee.observer.event("race", message, {"preset": winner.preset, "cer": marks})
    report_settings(*choose_parameters(winner, trained.parameters.steps), committee.observer)
    return winner, trained


def _taught(committee: "_Committee", request: JobRequest, trained: Trained) -> Trained:
    """Train anew, from unlabelled images as well; return what was before if that errs more."""
    dataset, observer = committee.dataset, committee.observer
    minutes = request.hyperparameters.max_minutes
    if minutes != "auto":
        left = minutes - trained.seconds / 60
        if left < LEAST_LEFT * minutes:
            return trained
        request = _within(request, left)
    taught = self_labelled(dataset, trained, observer)
    counts = [len(each.labels) for each in taught]
    mean = round(np.mean(counts))
    used = f"{mean} of the {len(dataset.unlabelled)} images without a text"
    if not all(counts):
        observer.event("self_training", f"The networks are sure of too few: {used}.", {})
        return trained
    again = committee.train(request, trained, taught)
    before, after = trained.validation, again.validation
    worse = is_worse(after, before)
    data = {"used": counts, "cer": after.cer, "cer_before": before.cer, "kept": not worse}
    outcome = f"{after.cer:.1%} with them, {before.cer:.1%} without"
    done = "left out again" if worse else "learned from as well"
    message = f"{used} are {done}: the character error rates on the folds are {outcome}."
    observer.event("self_training", message, data)
    return _together(again, trained) if worse else replace(again, unlabelled_images=mean)


@dataclass
class _Committee:
    """Networks of one kind, each without one fold."""

    dataset: Dataset
    observer: Observer
    work: Path
    job_files: JobFiles | None

    def train(
        self,
        request: JobRequest,
        before: Trained | None,
        taught: Sequence[Rehearsal] = (),
    ) -> Trained:
        """Train all; return their mean, measured on each fold by the network without it.

        before: what was trained before, whose epochs and seconds count as well; taught: what each
        network learns from beside its folds.
        """
        folds = len(self.dataset.folds)
        if request.hyperparameters.max_minutes != "auto":
            request = _within(request, request.hyperparameters.max_minutes / folds)
        members: list[Trained] = []
        weights: list[Weights] = []
        so_far = before
        for number in range(folds):
            following = folds - 1 - number
            told = PartObserver(self.observer, so_far, following=following, repeated=number > 0)
            dataset = self.dataset.without_fold(number)
            if taught:
                dataset = replace(dataset, rehearsal=taught[number])
            members.append(self._member(dataset, request, number, told))
            weights.append(members[-1].model.get_weights())
            so_far = _together(so_far, members[-1])
            keras.backend.clear_session()  # else Keras holds on to the graphs of all
            gc.collect()
        weights, validation = self._nearer_or_not(members, weights)
        model = members[-1].model
        model.set_weights([np.mean(each, axis=0) for each in zip(*weights, strict=True)])
        return replace(
            _together(before, *members),
            validation=validation,
            history=members[0].history,
            nearer=None,
            committee=tuple(weights),
        )

    def _nearer_or_not(
        self, members: Sequence[Trained], weights: list[Weights]
    ) -> tuple[list[Weights], Validation]:
        """Return the weights, or the ones nearer to the starter, that do better on the folds."""
        validation = self._measured([each.validation for each in members])
        nearer = [each.nearer for each in members if each.nearer is not None]
        other = self._measured([each.validation for each in nearer])
        if other.loss >= validation.loss:
            return weights, validation
        message = "On the folds, a fifth of the way back to the starter's weights is better."
        losses = {"loss": other.loss, "loss_before": validation.loss}
        self.observer.event("interpolation", message, losses)
        return [each.weights for each in nearer], other

    def _member(
        self, dataset: Dataset, request: JobRequest, number: int, observer: Observer
    ) -> Trained:
        taught = "-taught" if dataset.rehearsal.labels else ""
        folder = self.work / f"{request.settled_preset}{taught}-{number}"
        folder.mkdir(exist_ok=True)
        return train(dataset, request, observer, folder, None, MAX_RESTARTS, self.job_files)

    def _measured(self, parts: Sequence[Validation]) -> Validation:
        """Return the figures of all folds together."""
        losses = list(chain.from_iterable(part.losses for part in parts))
        edits = list(chain.from_iterable(part.edits for part in parts))
        characters = sum(map(len, self.dataset.measured.labels))
        return Validation(
            exact_match=edits.count(0) / len(edits),
            loss=float(np.mean(losses)),
            cer=sum(edits) / characters,
            all_empty=all(part.all_empty for part in parts),
            losses=losses,
            edits=edits,
        )


def _within(request: JobRequest, minutes: float) -> JobRequest:
    shorter = request.hyperparameters.model_copy(update={"max_minutes": minutes})
    return request.model_copy(update={"hyperparameters": shorter})


def _together(before: Trained | None, *members: Trained) -> Trained:
    """Return the last with the epochs, seconds and images of all."""
    parts = [*([before] if before else []), *members]
    seconds = sum(part.seconds for part in parts)
    return replace(
        parts[-1],
        epochs=sum(part.epochs for part in parts),
        seconds=seconds,
        images_per_second=sum(p.images_per_second * p.seconds for p in parts) / seconds,
    )
