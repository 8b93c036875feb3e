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
    """Return the parameters in force and, by name, the reason for each.

    images: in the training part. width: of the input, in pixels.
    """
    preset, wanted = PRESETS[request.preset], request.hyperparameters
    epochs = preset.choose_epochs(images, width)
    of_preset = f"what preset {request.preset} learns best with"
    auto: dict[str, tuple[Any, str]] = {
        "epochs": (epochs, f"about {epochs * images:,} images are shown, {width} pixels wide"),
        "batch_size": (preset.batch_size, of_preset),
        "learning_rate": (preset.learning_rate, of_preset),
        "augmentation": (preset.augmentation, f"{of_preset}; less in another try"),
    }
    asked = {name: getattr(wanted, name) for name in auto}
    values = {name: auto[name][0] if asked[name] == "auto" else asked[name] for name in auto}
    reasons = {
        name: reason if asked[name] == "auto" else "as asked for"
        for name, (_, reason) in auto.items()
    }
    patience = preset.patience or values["epochs"] if wanted.patience == "auto" else wanted.patience
    parameters = Parameters(
        **values,
        patience=patience,
        may_shorten=wanted.epochs == "auto" and preset.patience is None,
        max_minutes=None if wanted.max_minutes == "auto" else wanted.max_minutes,
        seed=request.seed,
    )
    return parameters, reasons


def tell_settings(chosen: Parameters, reasons: dict[str, str], observer: Observer) -> None:
    """Name the choices with their reasons, as an event."""
    settings = {
        name: {"value": getattr(chosen, name), "reason": why} for name, why in reasons.items()
    }
    told = (f"{name} {shown(one['value'])} ({one['reason']})" for name, one in settings.items())
    observer.event("settings", f"Chosen: {', '.join(told)}.", settings)


def gentler(parameters: Parameters, request: JobRequest, restarts: int) -> Parameters:
    """Return settings for another try: slower, varied less, longer; what was asked for stays."""
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
        seed=parameters.seed + restarts,
    )
