"""What came of loading versions on this machine: a small file each, shared by its processes."""

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, Field, ValidationError

from shared.errors import BundlePart

MOST_BYTES = 4096
MOST_FILES = 1000
"""Beyond it the least recently used are deleted: such a version is tried again."""

log = logging.getLogger("readsmith.predictor")


class Verdict(BaseModel):
    """Whether a version may be loaded; if not, why, where it is wrong, and when it was tried.

    deaths counts the processes that died of it in a row.
    """

    harmless: bool = False
    deaths: int = Field(0, ge=0)
    reason: str = ""
    part: BundlePart = "graph"
    tried_at: float = 0.0


class Verdicts:
    """The verdicts by key, in a folder; in memory where it is None or cannot be written."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._in_memory: dict[str, Verdict] = {}

    @contextmanager
    def held(self, key: str) -> Iterator["HeldVerdict"]:
        """Hold a verdict, so that no other thread or process of this machine has it meanwhile."""
        file = self._opened(key)
        if file is None:
            save = partial(self._in_memory.__setitem__, key)
            yield HeldVerdict(self._in_memory.get(key, Verdict()), save)
            return
        with file:  # closing it, or dying, releases the lock
            fcntl.flock(file, fcntl.LOCK_EX)
            yield HeldVerdict(_parsed(file.read(MOST_BYTES)), partial(_write, file))

    def _opened(self, key: str) -> BinaryIO | None:
        if self._folder is None:
            return None
        path = self._folder / f"{key}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.touch()
            _make_room(self._folder)
            return path.open("r+b", buffering=0)
        except OSError as error:
            log.warning("%s cannot be written: %s. Versions are tried again.", path, error.strerror)
            return None


class HeldVerdict:
    """A verdict that this thread holds, and may replace."""

    def __init__(self, verdict: Verdict, save: Callable[[Verdict], None]) -> None:
        self.verdict = verdict
        self._save = save

    def replace(self, verdict: Verdict) -> None:
        """Replace it, in the file too: it stays if this process dies."""
        self.verdict = verdict
        self._save(verdict)


def _write(file: BinaryIO, verdict: Verdict) -> None:
    with suppress(OSError):  # a full disk: the version is tried again
        file.seek(0)
        file.truncate()
        file.write(verdict.model_dump_json().encode())


def _parsed(data: bytes) -> Verdict:
    try:
        return Verdict.model_validate_json(data)
    except ValidationError:  # empty, or cut off by a full disk
        return Verdict()


def _make_room(folder: Path) -> None:
    files = list(folder.glob("*.json"))
    if len(files) > MOST_FILES:
        for path in sorted(files, key=_last_used)[: len(files) - MOST_FILES]:
            path.unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # another process deleted it
