"""Models in a folder as Readsmith left them before model.json: read, and changed to it.

<root>/<model>/current          the number of the served version; it decides
<root>/<model>/history.json     what was current before, and the highest number given
<root>/<model>/settings.json    what a user has chosen for the model

A version exists once its manifest does. The history never ends with the current version: where it
does, a change was cut off between the two files, and that entry does not count.

Where there is a model.json, it alone counts: it is written from these files by the first change,
at once and as a whole, and they are removed only then. What a killed process leaves of them is
never read again.
"""

import hashlib
import re
from pathlib import Path

from pydantic import Field, ValidationError

from shared.atomic_files import read_small
from shared.errors import BundleError, BundlePart
from shared.store.manifest import MANIFEST, MOST_BYTES, Frozen, first_fault, parse_manifest
from shared.store.objects.folder import written
from shared.store.records.record import MOST_STEPS, Listed, ModelRecord, ModelSettings

CURRENT = "current"
HISTORY = "history.json"
SETTINGS = "settings.json"
NUMBER = r"[1-9][0-9]{0,8}"


class History(Frozen):
    """What history.json holds."""

    before: tuple[int, ...] = Field((), strict=False)
    """What was current before the current version, oldest first."""
    highest: int = Field(0, ge=0)
    """The highest number whose publication was finished."""


class EarlierLayout:
    """The models below a root folder; reading writes nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[tuple[int | None, ...], ModelRecord]] = {}

    def record(self, model: str) -> ModelRecord:
        """Return what the files say; raises BundleError if current or the settings are damaged.

        A history that cannot be read counts as none. Read again only when a file has changed.
        """
        folder = self._root / model
        numbers = _numbers(folder)
        manifests = {n: folder / "versions" / str(n) / MANIFEST for n in numbers}
        files = [folder / name for name in (CURRENT, HISTORY, SETTINGS)]
        stamp = tuple(written(path) for path in (*files, *manifests.values()))
        if model not in self._known or self._known[model][0] != stamp:
            record = _record(folder, {n: _listed(path) for n, path in manifests.items()})
            self._known[model] = stamp, record
        return self._known[model][1]

    def remove(self, model: str) -> None:
        """Remove the files of a model that has a model.json."""
        for name in (CURRENT, HISTORY, SETTINGS):
            (self._root / model / name).unlink(missing_ok=True)


def _record(folder: Path, listed: dict[int, Listed | None]) -> ModelRecord:
    try:
        history = History.model_validate_json(read_small(folder / HISTORY, MOST_BYTES))
    except (OSError, ValidationError):
        history = History()
    versions = {n: one for n, one in listed.items() if one is not None}
    record = ModelRecord(
        current=_current(folder),
        before=history.before[-MOST_STEPS:],
        given=max(history.highest, *listed, 0),
        versions=versions,
        settings=_settings(folder),
    )
    return record.having(versions)


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the folders that are versions, or might have become some."""
    try:
        names = [entry.name for entry in (folder / "versions").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        message = f"The versions of model {folder.name} cannot be listed: {error.strerror}."
        raise BundleError(message, "current") from error
    return sorted(int(name) for name in names if re.fullmatch(NUMBER, name))


def _listed(manifest: Path) -> Listed | None:
    """Return how the record lists a version, None without a manifest; a damaged one is listed."""
    if written(manifest) is None or not manifest.is_file():
        return None
    data, job_id = b"", ""
    try:
        data = read_small(manifest, MOST_BYTES)
        job_id = parse_manifest(data).job_id
    except (OSError, BundleError):
        pass  # a request for the version reports it
    return Listed(manifest_sha256=hashlib.sha256(data).hexdigest(), job_id=job_id)


def _current(folder: Path) -> int | None:
    data = _content(folder, CURRENT, "current")
    if data is None:
        return None
    text = data.decode("ascii", "replace").strip()
    if not re.fullmatch(NUMBER, text):
        message = f"{CURRENT} of model {folder.name} says {text[:40]!r}, not a version number."
        raise BundleError(message, "current")
    return int(text)


def _settings(folder: Path) -> ModelSettings:
    data = _content(folder, SETTINGS, "settings")
    try:
        return ModelSettings() if data is None else ModelSettings.model_validate_json(data)
    except ValidationError as error:
        message = f"{SETTINGS} of model {folder.name} is not valid at {first_fault(error)}."
        raise BundleError(message, "settings") from error


def _content(folder: Path, name: str, part: BundlePart) -> bytes | None:
    """Return what a file holds, None if there is none; raises BundleError."""
    try:
        return read_small(folder / name, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"{name} of model {folder.name} cannot be read: {error.strerror}."
        raise BundleError(message, part) from error
