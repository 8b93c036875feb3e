"""From command-line options to the request that POST /jobs takes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from readsmith.options.allowed import allowed_texts
from readsmith.options.options import is_url
from readsmith.output import err
from readsmith.progress_display import TrainingDisplay
from shared.texts import plain_fault
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.downloads.fetch import fetch
from trainer.schemas.addresses import ANYWHERE
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.limits import DatasetLimits, DownloadRules
from trainer.settings import load_settings

LABELS = ("auto", "manifest", "beside", "folder", "filename")
"""Where labels may be, in one word."""


def job_request(dataset: str | None, labels: str = "auto", **fields: Any) -> JobRequest:
    """Build a request; fields that are None are left to their defaults.

    fields: those of JobRequest and Hyperparameters, allowed as the path of a file. A local dataset
    is not part of a request; see local_path. Raises typer.BadParameter naming the wrong field.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    top = {name: given.pop(name) for name in list(given) if name in JobRequest.model_fields}
    if "vocabulary" in top:
        top["vocabulary"] = _vocabulary(top["vocabulary"])
    if "allowed" in top:
        top["allowed"] = allowed_texts(Path(top["allowed"]))
    if str(top.get("base", "")).isdecimal():
        top["base"] = int(top["base"])
    body: dict[str, Any] = {"labels": labels_request(labels), **top}
    if given:
        body["hyperparameters"] = given
    if dataset is not None and is_url(dataset):
        body["dataset"] = {"url": dataset}
    try:
        return JobRequest.model_validate_json(json.dumps(body))
    except ValidationError as error:
        # of the branches of a union, the one that came furthest is the one that was meant
        closest = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
        groups = ("hyperparameters", "search", "parameters")
        field = next(part for part in closest["loc"] if part not in groups)
        message = plain_fault(closest["msg"])
        raise typer.BadParameter(f"{field}: {message}.") from error


def fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's options that job_request takes as fields."""
    known = (JobRequest.model_fields.keys() | Hyperparameters.model_fields) - {"dataset", "labels"}
    return {name: value for name, value in options.items() if name in known}


def local_path(dataset: str | None) -> Path | None:
    """Return the path of a dataset on this machine, None for a URL or none."""
    return None if dataset is None or is_url(dataset) else Path(dataset)


def labels_request(text: str) -> Any:
    """Return --labels as a request has it; raises typer.BadParameter."""
    kind, colon, pattern = text.partition(":")
    if colon and kind == "filename":
        return {"filename": {"pattern": pattern}}
    if colon and kind == "file":
        return {"file": pattern}
    if text not in LABELS:
        raise typer.BadParameter(
            f"--labels {text!r} is not one of {', '.join(LABELS)}, filename:REGEX, file:PATH."
        )
    return text


def _vocabulary(text: str) -> Any:
    kind, colon, characters = text.partition(":")
    if colon and kind == "characters":
        return {"characters": characters}
    if text not in ("auto", "closed"):
        raise typer.BadParameter(
            f"--vocabulary {text!r} is not one of auto, closed, characters:CHARACTERS."
        )
    return text


def dataset_limits() -> DatasetLimits:
    """Return how large a dataset may be; raises ReadsmithError for settings that are wrong."""
    return load_settings().dataset_limits


def download_rules() -> DownloadRules:
    """Return what may be downloaded for the user of this machine: from anywhere.

    Who asks is who owns the network that is reached, unlike at POST /jobs.
    Raises ReadsmithError for settings that are wrong.
    """
    return replace(load_settings().downloads, allowed=ANYWHERE)


def save_corrections(state: Path, model: str, path: Path) -> None:
    """Write the corrections that a trainer has in this state folder as a zip.

    Raises ReadsmithError, also if none has ever worked there.
    """
    from sqlalchemy.exc import DBAPIError

    from trainer.database.corrections import save_corrections as save
    from trainer.database.tables import unavailable

    try:
        save(load_settings().model_copy(update={"state": state}), model, path)
    except DBAPIError as error:
        raise unavailable(error) from error


def fetched(dataset: str, request: JobRequest, state: Path) -> Path:
    """Return the folder or zip of a dataset, downloaded if it is a URL; raises ReadsmithError."""
    return local_path(dataset) or fetch(
        request.dataset,
        state / "cache",
        FolderFiles(state),
        TrainingDisplay(err),
        download_rules(),
    )
