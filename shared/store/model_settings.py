"""What a user has chosen for a model, whatever its version: the file settings.json."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.atomic_files import read_small, write_atomically
from shared.errors import BundleError
from shared.store.manifest import MOST_BYTES

SETTINGS = "settings.json"


class ModelSettings(BaseModel):
    """Every field has a default: a model without the file has chosen nothing."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    pattern: str | None = None
    """What its predictions must fit unless a request says otherwise."""


def read_settings(folder: Path) -> ModelSettings:
    """Read the settings of the model in a folder; raises BundleError saying what is wrong."""
    try:
        return ModelSettings.model_validate_json(read_small(folder / SETTINGS, MOST_BYTES))
    except FileNotFoundError:
        return ModelSettings()
    except OSError as error:
        message = f"{SETTINGS} of model {folder.name} cannot be read: {error.strerror}."
        raise BundleError(message, "settings") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise BundleError(
            f"{SETTINGS} of model {folder.name} is not valid at {where[:100]}: {first['msg']}.",
            "settings",
        ) from error


def write_settings(folder: Path, settings: ModelSettings) -> None:
    """Replace the settings of the model in a folder."""
    write_atomically(folder / SETTINGS, settings.model_dump_json(indent=2).encode())
