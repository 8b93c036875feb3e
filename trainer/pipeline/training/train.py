"""Stage 3: fit a model to the training part; the validation part chooses the weights."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from trainer.files.job_files import JobFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.base import load_starter
from trainer.pipeline.training.checkpoint import State, load, save
from trainer.pipeline.training.devices import find_devices
from trainer.pipeline.training.diagnosis import did_not_learn, epochs, no_better_than_chance, diagnose
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters, gentler, report_settings
from trainer.pipeline.training.results import Parameters, Trained
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer

MAX_RESTARTS = 2

SATURATED, SATURATED_EPOCHS, SATURATED_IMAGES = 0.985, 5, 50
"""An exact match so high, in so many epochs in a row, on so large a validation part: what is left
is to let the learning rate go down."""
ENDING = 0.3
"""Share of the schedule, its end, that is never left out."""


def train(
    dataset: Dataset,
    request: JobRequest,
    observer: Observer,
    work: Path,
    base: Base | None = None,
    max_restarts: int = MAX_RESTARTS,
    job_files: JobFiles | None = None,
) -> Trained:
    """Train until the validation part gets no better, or the epochs or the minutes are over.

    A run that was cut off goes on from the checkpoint in its work folder, or among the kept
    files, if it may have been on another machine. One that learns
    nothing starts again with gentler settings, at most max_restarts times.
    Raises ReadsmithError (did_not_learn) if the model reads nothing in the end.
    """
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # it warns that each try compiles a step of its own
    devices = find_devices()
    base = base or _starter(dataset, request)
    examples = Examples.of(dataset)
    images = len(examples.train)
    chosen, reasons = choose_parameters(request, images, dataset.image.width)
    # The fingerprint: what a URL gives may have changed since the run was cut off.
    data = f"{dataset.image} {dataset.vocabulary.characters} {dataset.fingerprint}"
    run = f"{request.model_dump_json()} {data}"
    state = load(work, run, kept)
    restarts, seconds = (state.restarts, state.seconds) if state else (0, 0.0)
    if state is None:
        origin = f"those of {base.name}" if base else "fresh ones"
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
                observer.event("resumed", f"Going on after epoch {state.epoch}, {devices}.")
            fitting.restore(state)
        reason = _fit(fitting, state, lambda state: save(work, state, run, kept))
        if state.best is not None and not no_better_than_chance(state.best, dataset.train.labels):
            return _trained(fitting, state, base)
        late = _time_is_over(state, parameters)
        if late or restarts == max_restarts:
            raise did_not_learn(dataset, state, out_of_time=late)
        observer.event("restart", f"{reason} Starting again with gentler settings.")
        restarts, seconds, state = restarts + 1, state.seconds, None


def _starter(dataset: Dataset, request: JobRequest) -> Base | None:
    """Return the starter if it is asked for and fits; its layers fit any width."""
    if request.base != "starter" or request.preset != "conv":
        return None
    starter = load_starter()
    alike = ("height", "standardize", "layout")
    fits = all(getattr(dataset.image, n) == getattr(starter.image, n) for n in alike)
    return starter if fits else None


def _fit(fitting: Fitting, state: State, keep: Callable[[State], None]) -> str:
    """Train to the end, or until nothing more is to be hoped for; return how it ended."""
    while not _finished(state, fitting.parameters):
        reason = diagnose(state, fitting.steps_per_epoch) if state.epoch else None
        if reason is not None:
            return reason
        fitting.epoch(state)
        _shorten(fitting, state)
        keep(state)
    return f"After {epochs(state.epoch)} hardly a text is read right."


def _shorten(fitting: Fitting, state: State) -> None:
    """Leave out the middle of the schedule once it has little more to teach."""
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
            f"Each of the last {SATURATED_EPOCHS} epochs reads {min(last):.1%} or more of the "
            f"validation part: {state.skipped} epochs are left out.",
        )


def _finished(state: State, parameters: Parameters) -> bool:
    if state.epoch + state.skipped >= parameters.epochs:
        return True
    if _time_is_over(state, parameters):
        return True
    learning = state.best is not None and not state.best.all_empty
    return learning and state.since_best >= parameters.patience


def _time_is_over(state: State, parameters: Parameters) -> bool:
    minutes = parameters.max_minutes
    return minutes is not None and state.seconds >= minutes * 60


def _trained(fitting: Fitting, state: State, base: Base | None) -> Trained:
    assert state.best is not None  # noqa: S101 - there is at least one epoch
    fitting.inference_model.set_weights(state.best_weights)
    images = len(fitting.dataset.train) * state.epoch
    return Trained(
        model=fitting.inference_model,
        time_steps=int(fitting.inference_model.output_shape[1]),
        base=base.name if base else None,
        parameters=fitting.parameters,
        validation=state.best,
        seconds=state.seconds,
        epochs=state.epoch,
        images_per_second=images / state.seconds,
        seconds_to=state.seconds_to,
        history=state.history,
    )
