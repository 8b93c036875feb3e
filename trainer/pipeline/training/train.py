"""Stage 3: fit a model to the training part; the validation part chooses the weights."""

from collections.abc import Callable
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
from trainer.pipeline.training.results import Parameters, Trained
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer

MAX_RESTARTS = 2

SATURATED, SATURATED_EPOCHS, SATURATED_IMAGES = 0.985, 5, 50
"""Exact match, epochs in a row and validation images from which on only a falling learning rate
still helps."""
ENDING = 0.3
"""Last share of the schedule, which is never skipped: its small steps bring the last per cent."""


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
    images = len(examples.train)
    chosen, reasons = choose_parameters(request, images, dataset.image.width)
    # With the fingerprint: a URL's content may have changed since the run was interrupted.
    data = f"{dataset.image} {dataset.vocabulary.characters} {dataset.fingerprint}"
    run = f"{request.model_dump_json()} {data}"
    state = load(work, run, job_files)
    restarts, seconds = (state.restarts, state.seconds) if state else (0, 0.0)
    if state is None:
        origin = f"those of {base.name}" if base else "random"
        observer.event("start", f"The first weights are {origin}. Training runs {devices}.")
        report_settings(chosen, reasons, observer)
    while True:
        keras.utils.set_random_seed(request.seed + restarts)
        parameters = gentler(chosen, request, restarts)
        preset = PRESETS[request.preset]
        fitting = Fitting(dataset, examples, preset, parameters, base, observer, devices)
        if state is None:
            state = fitting.first_state(restarts, seconds)
        else:
            if not _finished(state, parameters):
                observer.event("resumed", f"Resuming after epoch {state.epoch}, {devices}.")
            fitting.restore(state)
        reason = _fit(fitting, state, lambda state: save(work, state, run, job_files))
        if state.best is not None and not no_better_than_chance(state.best, dataset.train.labels):
            return _trained(fitting, state, base)
        out_of_time = _is_out_of_time(state, parameters)
        if out_of_time or restarts == max_restarts:
            raise did_not_learn(dataset, state, out_of_time=out_of_time)
        observer.event("restart", f"{reason} Restarting with gentler settings.")
        restarts, seconds, state = restarts + 1, state.seconds, None


def _starter(dataset: Dataset, request: JobRequest) -> Base | None:
    """Return the starter if it is requested and fits; its layers fit any height and width."""
    if request.base != "starter" or request.preset != "conv":
        return None
    starter = load_starter()
    fields = ("standardize", "layout")
    fits = all(getattr(dataset.image, n) == getattr(starter.image, n) for n in fields)
    return starter if fits else None


def _fit(fitting: Fitting, state: State, save_state: Callable[[State], None]) -> str:
    """Train to the end, or until a diagnosis; return how it ended."""
    while not _finished(state, fitting.parameters):
        reason = diagnose(state, fitting.steps_per_epoch) if state.epoch else None
        if reason is not None:
            return reason
        fitting.epoch(state)
        _shorten(fitting, state)
        save_state(state)
    return f"After {epochs(state.epoch)} hardly any text is predicted correctly."


def _shorten(fitting: Fitting, state: State) -> None:
    """Skip the middle of the schedule once validation is nearly perfect."""
    parameters = fitting.parameters
    last = [progress.exact_match for progress in state.history[-SATURATED_EPOCHS:]]
    if (
        parameters.may_shorten
        and not state.skipped
        and len(fitting.dataset.validation) >= SATURATED_IMAGES
        and len(last) == SATURATED_EPOCHS
        and min(last) >= SATURATED
    ):
        state.skipped = max(0, round((1 - ENDING) * parameters.epochs) - state.epoch)
        fitting.observer.event(
            "shortened",
            f"Each of the last {SATURATED_EPOCHS} epochs has an exact match of {min(last):.1%} or "
            f"more on validation: {state.skipped} epochs are skipped.",
        )


def _finished(state: State, parameters: Parameters) -> bool:
    if state.epoch + state.skipped >= parameters.epochs:
        return True
    if _is_out_of_time(state, parameters):
        return True
    # While all texts are empty, patience does not count: every CTC model begins so.
    learning = state.best is not None and not state.best.all_empty
    return learning and state.since_best >= parameters.patience


def _is_out_of_time(state: State, parameters: Parameters) -> bool:
    minutes = parameters.max_minutes
    return minutes is not None and state.seconds >= minutes * 60


def _trained(fitting: Fitting, state: State, base: Base | None) -> Trained:
    assert state.best is not None  # noqa: S101 - there is at least one epoch
    fitting.inference_model.set_weights(state.best_weights)
    images = len(fitting.dataset.train) * state.epoch
    return Trained(
        model=fitting.inference_model,
        time_steps=time_steps(fitting.dataset.image),
        base=base.name if base else None,
        parameters=fitting.parameters,
        validation=state.best,
        seconds=state.seconds,
        epochs=state.epoch,
        images_per_second=images / state.seconds,
        seconds_to=state.seconds_to,
        history=state.history,
    )
