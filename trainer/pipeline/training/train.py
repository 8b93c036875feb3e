"""Stage 3: fit a model to the training part; the validation part chooses the weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from trainer.files.job_files import JobFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.datasets.inputs.image_spec import time_steps
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.base import load_starter
from trainer.pipeline.training.checkpoint import State, load, save
from trainer.pipeline.training.devices import find_devices
from trainer.pipeline.training.diagnosis import (
    diagnose,
    did_not_learn,
    epochs,
    no_better_than_chance,
)
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters, gentler, report_settings
from trainer.pipeline.training.results import Trained
from trainer.pipeline.training.schedule import MIN_STEPS, decay_from, fold_steps, improves
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer

MAX_RESTARTS = 2
LEARNED = "Validation improves no more: the learning rate falls, then training ends."


def train(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    base: Base | None = None,
    max_restarts: int = MAX_RESTARTS,
    job_files: JobFiles | None = None,
) -> Trained:
    """Train until validation stops improving, or the epochs or minutes are over.

    The network of a fold trains until fold_steps instead, and is returned in any case.
    It returns earlier if the observer wants a pause; the next call goes on from there.
    An interrupted run resumes from the checkpoint in its work folder, or from the copy in
    job_files if it may have been on another machine. A run that learns nothing restarts with
    gentler settings, at most max_restarts times.
    Raises ReadsmithError (did_not_learn) if the model is useless in the end.
    """
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # it warns that each restart compiles its own step
    devices = find_devices()
    base = base or _starter(dataset, request)
    examples = Examples.of(dataset)
    steps = fold_steps(len(examples.train)) if dataset.is_fold else None
    chosen, reasons = choose_parameters(request, steps)
    # With the fingerprint: a URL's content may have changed since the run was interrupted.
    data = f"{dataset.image} {dataset.vocabulary.characters} {dataset.fingerprint}"
    data += f" {dataset.rehearsal.fingerprint}"
    run = f"{request.model_dump_json()} {chosen.steps} {data}"
    state = load(work, run, job_files)
    restarts, seconds = (state.restarts, state.seconds) if state else (0, 0.0)
    if state is None:
        origin = f"those of {base.name}" if base else "random"
        observer.event("start", f"The first weights are {origin}. Training runs {devices}.")
        report_settings(chosen, reasons, observer)
    while True:
        keras.utils.set_random_seed(request.seed + restarts)
        parameters = gentler(chosen, request, restarts)
        preset = PRESETS[request.settled_preset]
        fitting = Fitting(dataset, examples, preset, parameters, base, observer, devices)
        if state is None:
            state = fitting.first_state(restarts, seconds)
        else:
            if not _finished(fitting, state):
                observer.event("resumed", f"Resuming after epoch {state.epoch}, {devices}.")
            fitting.restore(state)
        reason = _fit(fitting, state, lambda state: save(work, state, run, job_files))
        if reason is None or (dataset.is_fold and _finished(fitting, state)):
            return _trained(fitting, state, base)
        if state.best is not None and not no_better_than_chance(state.best, dataset.train.labels):
            return _trained(fitting, state, base)
        out_of_time = fitting.is_out_of_time(state.seconds)
        if out_of_time or observer.finishing() or restarts == max_restarts:
            until_limit = state.epoch if out_of_time else None
            raise did_not_learn(dataset, state.best, restarts + 1, until_limit)
        observer.event("restart", f"{reason} Restarting with gentler settings.")
        restarts, seconds, state = restarts + 1, state.seconds, None


def _starter(dataset: Dataset, request: JobRequest) -> Base | None:
    """Return the starter if it is requested and fits; its layers fit any height and width."""
    starter = load_starter(request.settled_preset) if request.base == "starter" else None
    if starter is None:
        return None
    fields = ("standardize", "layout")
    fits = all(getattr(dataset.image, n) == getattr(starter.image, n) for n in fields)
    return starter if fits else None


def _fit(fitting: Fitting, state: State, save_state: Callable[[State], None]) -> str | None:
    """Train to the end or until a diagnosis; return how it ended, None for a pause."""
    while not _finished(fitting, state):
        if state.epoch and state.decay is not None and fitting.observer.pausing():
            return None
        reason = diagnose(state, fitting.steps_per_epoch) if state.epoch else None
        if reason is not None:
            return reason
        fitting.epoch(state)
        if state.decay is None and _has_learned(state):
            state.decay = decay_from(state.steps)
            fitting.observer.event("learned", LEARNED, vars(state.decay))
        save_state(state)
    return f"After {epochs(state.epoch)} hardly any text is predicted correctly."


def _has_learned(state: State) -> bool:
    """Return whether validation has stopped improving, so that only the decay still helps."""
    # While all texts are empty, the loss stands still: every CTC model begins so.
    predicts = state.best is not None and not state.best.all_empty
    return predicts and state.steps >= MIN_STEPS and not improves(state.history)


def _finished(fitting: Fitting, state: State) -> bool:
    if fitting.is_over(state, state.seconds):
        return True
    patience = fitting.parameters.patience
    # While all texts are empty, patience does not count, likewise.
    predicts = state.best is not None and not state.best.all_empty
    return patience is not None and predicts and state.since_best >= patience


def _trained(fitting: Fitting, state: State, base: Base | None) -> Trained:
    assert state.best is not None  # noqa: S101 - there is at least one epoch
    nearer = fitting.nearer(state.best_weights) if fitting.dataset.is_fold else None
    fitting.inference_model.set_weights(state.best_weights)
    return Trained(
        model=fitting.inference_model,
        time_steps=time_steps(fitting.dataset.image),
        base=base.name if base else None,
        parameters=replace(fitting.parameters, epochs=state.epoch),
        validation=state.best,
        seconds=state.seconds,
        epochs=state.epoch,
        images_per_second=len(fitting.examples.train) * state.epoch / state.seconds,
        seconds_to=state.seconds_to,
        history=state.history,
        nearer=nearer,
    )
