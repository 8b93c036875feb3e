"""Reads a file of allowed texts."""

from pathlib import Path

import typer
from pydantic import TypeAdapter, ValidationError

from shared.atomic_files import read_small
from shared.patterns.allowed import MAX_CHARACTERS, MAX_TEXTS, AllowedTexts
from shared.store.manifest import first_fault
from shared.store.records.record import ModelSettings
from shared.texts import plain_fault

MAX_BYTES = 4 * (MAX_CHARACTERS + MAX_TEXTS)
"""Of a file: a character of UTF-8 takes four at most."""

_TEXTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(AllowedTexts)


def allowed_texts(file: Path) -> tuple[str, ...]:
    """Return the texts of a file, each on a line; raises typer.BadParameter."""
    try:
        texts = _TEXTS.validate_python(_lines(read_small(file, MAX_BYTES).decode("utf-8-sig")))
    except ValidationError as error:
        first = error.errors()[0]
        line = f", text {int(first['loc'][0]) + 1}" if first["loc"] else ""
        raise typer.BadParameter(f"{file}{line}: {plain_fault(first['msg'])}.") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8: {error.reason}.") from None
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from None
    if not texts:
        raise typer.BadParameter(f"{file} holds no text.")
    return texts


def _lines(content: str) -> list[str]:
    return [line for line in content.splitlines() if line.strip()]


def allowed_settings(
    file: Path | None, check_digit: str | None, threshold: float | None
) -> ModelSettings:
    """Return what is chosen of a model's texts; raises typer.BadParameter."""
    chosen = {
        "allowed": file and allowed_texts(file),
        "check_digit": check_digit,
        "allowed_threshold": threshold,
    }
    try:
        return ModelSettings.model_validate(chosen)
    except ValidationError as error:
        raise typer.BadParameter(f"{first_fault(error)}.") from None
