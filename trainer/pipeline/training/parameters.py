"""Chooses the training parameters that a request leaves open, each with its reason."""

from dataclasses import replace
from typing import Any

from shared.api.jobs import Value, value_text
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.results import Parameters
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer

MAX_MINUTES = 24 * 60.0
"""Of a training that ends by itself: the loss of a huge set may fall for weeks."""
UNTIL_LEARNED = f"until validation stops improving, at most {MAX_MINUTES / 60:.0f} hours"


def choose_parameters(
    request: JobRequest, steps: int | None = None
) -> tuple[Parameters, dict[str, str]]:
    """Return the effective parameters and, by name, the reason for each.

    steps: batches in all, unless epochs are given; None for as many as it takes.
    """
    preset, wanted = PRESETS[request.settled_preset], request.hyperparameters
    of_preset = f"the best for preset {request.settled_preset}"
    by_itself = UNTIL_LEARNED if steps is None else f"{steps} batches: more wear few images out"
    auto: dict[str, tuple[Any, str]] = {
        "epochs": (preset.epochs, of_preset if preset.epochs else by_itself),
        "batch_size": (preset.batch_size, of_preset),
        "learning_rate": (preset.learning_rate, of_preset),
        "augmentation": (preset.augmentation, f"{of_preset}; less after a restart"),
    }
    choices = {
        name: choice if (value := getattr(wanted, name)) == "auto" else (value, "as requested")
        for name, choice in auto.items()
    }
    values = {name: value for name, (value, _) in choices.items()}
    cap = MAX_MINUTES if values["epochs"] is None else None
    parameters = Parameters(
        **values,
        steps=steps,
        patience=preset.patience if wanted.patience == "auto" else wanted.patience,
        max_minutes=cap if wanted.max_minutes == "auto" else wanted.max_minutes,
        seed=request.seed,
    )
    return parameters, {name: reason for name, (_, reason) in choices.items()}


def report_settings(chosen: Parameters, reasons: dict[str, str], observer: Observer) -> None:
    """Emit the choices and their reasons as an event."""
    settings = {
        name: {"value": _value(getattr(chosen, name)), "reason": why}
        for name, why in reasons.items()
    }
    chosen_values = (
        f"{name} {value_text(one['value'])} ({one['reason']})" for name, one in settings.items()
    )
    observer.event("settings", f"Chosen: {', '.join(chosen_values)}.", settings)


def _value(value: Value | None) -> Value:
    return "auto" if value is None else value


def gentler(parameters: Parameters, request: JobRequest, restarts: int) -> Parameters:
    """Return settings for a restart: lower rate, less augmentation, more epochs.

    Requested values stay as they are.
    """
    if restarts == 0:
        return parameters
    wanted = request.hyperparameters
    slower = parameters.learning_rate / 3**restarts
    less = parameters.augmentation / 2 if restarts == 1 else 0.0
    return replace(
        parameters,
        learning_rate=slower if wanted.learning_rate == "auto" else parameters.learning_rate,
        epochs=parameters.epochs and parameters.epochs * (2 if wanted.epochs == "auto" else 1),
        augmentation=less if wanted.augmentation == "auto" else parameters.augmentation,
        seed=parameters.seed + restarts,  # the same seed could fail the same way
    )
