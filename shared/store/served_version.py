"""Which version of a model is served, and the way back: the files current and history.json.

``current`` decides. The history never ends with the current version: where it does, a change was
cut off between the two files, and that entry does not count. So a change writes the history
first, a step back writes it last, and a kill in between leaves either all done or nothing.
"""

import re
from collections.abc import Collection
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.atomic_files import read_small, write_atomically
from shared.errors import BundleError
from shared.store.manifest import MOST_BYTES

MOST_STEPS = 100
"""Steps back beyond these are forgotten."""

VERSION_PATTERN = r"[1-9][0-9]{0,8}"


class History(BaseModel):
    """What history.json holds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    before: tuple[int, ...] = Field((), strict=False)
    """What was current before the current version, oldest first."""
    highest: int = Field(0, ge=0)
    """The highest number whose publication was finished; it is never given again."""


class ServedVersion:
    """The served version of the model in a folder; whoever changes it holds the model's lock."""

    def __init__(self, folder: Path, kept: Collection[int]) -> None:
        self._current = folder / "current"
        self._history = folder / "history.json"
        self._kept = kept

    def number(self) -> int | None:
        """Return the version's number, None before the first.

        Raises BundleError if ``current`` does not hold a version number.
        """
        model = self._current.parent.name
        try:
            text = read_small(self._current, MOST_BYTES).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"current of model {model} cannot be read: {error.strerror}."
            raise BundleError(message, "current") from error
        if not re.fullmatch(VERSION_PATTERN, text):
            message = f"current of model {model} says {text[:40]!r}, not a version number."
            raise BundleError(message, "current")
        return int(text)

    def number_or_none(self) -> int | None:
        """Return the version's number, None also where it cannot be told."""
        try:
            return self.number()
        except BundleError:
            return None

    def history(self) -> History:
        """Return the steps back to kept versions; a file that cannot be read counts as none."""
        try:
            written = History.model_validate_json(read_small(self._history, MOST_BYTES))
        except (OSError, ValidationError):
            return History()
        steps = [version for version, _ in groupby(v for v in written.before if v in self._kept)]
        if steps and steps[-1] == self.number_or_none():
            steps.pop()
        return History(before=tuple(steps[-MOST_STEPS:]), highest=written.highest)

    def change(self, version: int) -> None:
        """Serve another version."""
        served = self.number_or_none()
        if version == served:
            return
        if served is not None:
            history = self.history()
            self._write_history((*history.before, served), history.highest)
        self._write_current(version)

    def step_back(self) -> None:
        """Serve the last version of the history, which must hold one."""
        history = self.history()
        *before, version = history.before
        self._write_current(version)
        self._write_history(tuple(before), history.highest)

    def use_up(self, number: int) -> None:
        """Remember that numbers up to this one have been given."""
        history = self.history()
        self._write_history(history.before, max(history.highest, number))

    def _write_current(self, version: int) -> None:
        write_atomically(self._current, f"{version}\n".encode("ascii"))

    def _write_history(self, before: tuple[int, ...], highest: int) -> None:
        history = History(before=before, highest=highest)
        write_atomically(self._history, history.model_dump_json().encode())
