"""Finds the images that arrive in a folder, once whoever writes them is done."""

import os
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from shared.texts import shown
from trainer.pipeline.datasets.sources.image_files import is_image, visible

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799
"""Seconds: later times than the year 9999 cannot be written."""

Key = tuple[str, int, str]
"""Name, bytes and time of change, by which a file is known again; a changed one is another."""

Found = tuple[str, int, int]
"""Path, bytes and time of change in nanoseconds."""


@dataclass(frozen=True, order=True)
class Arrival:
    """An image's file, as it was when it was found; the oldest comes first."""

    modified: str
    """When it was changed, with nanoseconds, UTC."""
    name: str
    """Its path within the folder, as it can be shown."""
    size: int
    path: Path

    @property
    def key(self) -> Key:
        """By what it is known again."""
        return self.name, self.size, self.modified

    @property
    def unchanged(self) -> bool:
        """Whether the file is still the one that was found; raises OSError if it is gone."""
        status = self.path.lstat()
        return (status.st_size, _written(status.st_mtime_ns)) == (self.size, self.modified)


class Arrivals:
    """The images in a folder and the folders in it, but for hidden ones and symbolic links.

    settle_seconds: how long size and time of change must have stayed the same. problem: why the
    folder, or one in it, cannot be listed now; None if all can.
    """

    def __init__(self, folder: Path, settle_seconds: float) -> None:
        self.folder = folder
        self._settle_seconds = settle_seconds
        self._seen: dict[Key, float] = {}
        self._made: dict[Found, Arrival | None] = {}
        self.problem: str | None = None

    def settled(self, known: Container[Key]) -> list[Arrival]:
        """Look once; return what is not known and has not changed for a while, oldest first."""
        now = time.monotonic()
        # Most files were there at the last look: what is said of them is kept.
        self._made = {
            file: self._made[file]
            if file in self._made
            else self._arrival(Path(file[0]), *file[1:])
            for file in self._files()
        }
        found = [each for each in self._made.values() if each and each.key not in known]
        self._seen = {each.key: self._seen.get(each.key, now) for each in found}
        return sorted(each for each in found if now - self._seen[each.key] >= self._settle_seconds)

    def _files(self) -> Iterator[Found]:
        self.problem = None
        folders = [self.folder]
        while folders:
            try:
                entries = list(os.scandir(folder := folders.pop()))
            except OSError as error:
                self.problem = f"{folder} cannot be listed: {error.strerror}."
                continue
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if visible(PurePosixPath(entry.name)):
                            folders.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield entry.path, status.st_size, status.st_mtime_ns
                except OSError:
                    continue  # gone since

    def _arrival(self, path: Path, size: int, modified: int) -> Arrival | None:
        """Return a file that is an image to be read, None for any other."""
        name = path.relative_to(self.folder)
        if not (visible(PurePosixPath(path.name)) and is_image(path.name)):
            return None
        return Arrival(_written(modified), shown(name.as_posix(), None), size, path)


def _written(nanoseconds: int) -> str:
    seconds, rest = divmod(max(0, nanoseconds), 1_000_000_000)
    time = EPOCH + timedelta(seconds=min(seconds, LAST))
    return f"{time:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
