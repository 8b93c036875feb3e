"""Chooses the training parameters that a request leaves open, each with its reason."""

from dataclasses import replace
from typing import Any

from shared.api.jobs import shown
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.results import Parameters
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer


def choose_parameters(
    request: JobRequest, images: int, width: int
) -> tuple[Parameters, dict[str, str]]:
    """Return the effective parameters and, by name, the reason for each.

    images: in the training part. width: of the input, in pixels.
    """
    preset, wanted = PRESETS[request.preset], request.hyperparameters
    epochs = preset.choose_epochs(images, width)
    of_preset = f"the best for preset {request.preset}"
    auto: dict[str, tuple[Any, str]] = {
        "epochs": (epochs, f"about {epochs * images:,} images in all, {width} pixels wide"),
        "batch_size": (preset.batch_size, of_preset),
        "learning_rate": (preset.learning_rate, of_preset),
        "augmentation": (preset.augmentation, f"{of_preset}; less after a restart"),
    }
    choices = {
        name: choice if (value := getattr(wanted, name)) == "auto" else (value, "as requested")
        for name, choice in auto.items()
    }
    values = {name: value for name, (value, _) in choices.items()}
    patience = preset.patience or values["epochs"] if wanted.patience == "auto" else wanted.patience
    parameters = Parameters(
        **values,
        patience=patience,
        may_shorten=wanted.epochs == "auto" and preset.patience is None,
        max_minutes=None if wanted.max_minutes == "auto" else wanted.max_minutes,
        seed=request.seed,
    )
    return parameters, {name: reason for name, (_, reason) in choices.items()}


def report_settings(chosen: Parameters, reasons: dict[str, str], observer: Observer) -> None:
    """Emit the choices and their reasons as an event."""
    settings = {
        name: {"value": getattr(chosen, name), "reason": why} for name, why in reasons.items()
    }
    chosen_values = (
        f"{name} {shown(one['value'])} ({one['reason']})" for name, one in settings.items()
    )
    observer.event("settings", f"Chosen: {', '.join(chosen_values)}.", settings)


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
        epochs=parameters.epochs * 2 if wanted.epochs == "auto" else parameters.epochs,
        augmentation=less if wanted.augmentation == "auto" else parameters.augmentation,
        seed=parameters.seed + restarts,  # the same seed could fail the same way
    )
