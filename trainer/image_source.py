"""Where labelled images lie: a folder or a zip, read entry by entry, never unpacked."""

import os
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Protocol

from shared.errors import ReadsmithError

MAX_ENTRIES = 200_000
MAX_ENTRY_BYTES = 50_000_000


class UnreadableEntryError(Exception):
    """One entry cannot be read; the message says why."""


class ImageSource(Protocol):
    """Names of files, and their bytes."""

    def names(self) -> list[str]:
        """Return the visible files, as sorted relative POSIX paths."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises UnreadableEntryError."""


def open_source(path: Path) -> ImageSource:
    """Open a folder or a zip; raises ReadsmithError (dataset_not_found, dataset_not_a_zip)."""
    if path.is_dir():
        return FolderSource(path)
    if not path.is_file():
        raise ReadsmithError(
            "dataset_not_found", f"There is no {path}.", "Give a zip, a folder or a URL."
        )
    return ZipSource(path)


class FolderSource:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Return the visible files below the folder."""
        found = []
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = [name for name in subfolders if _visible(PurePosixPath(name))]
            found += [Path(folder, name).relative_to(self.root) for name in files]
        return _checked([path.as_posix() for path in found])

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        try:
            with (self.root / name).open("rb") as file:
                return _bounded(file.read(MAX_ENTRY_BYTES + 1))
        except OSError as error:
            raise UnreadableEntryError(error.strerror or str(error)) from error


class ZipSource:
    """Entries of a zip."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise ReadsmithError(
                "dataset_not_a_zip",
                f"{path.name} is not a zip: {error}.",
                "Pack the images, and labels.csv if there is one, into a zip.",
            ) from error
        self._entries = {_entry_name(e): e for e in self._zip.infolist() if not e.is_dir()}

    def names(self) -> list[str]:
        """Return the visible entries."""
        return _checked(list(self._entries))

    def read(self, name: str) -> bytes:
        """Return an entry's bytes."""
        try:
            with self._zip.open(self._entries[name]) as file:
                return _bounded(file.read(MAX_ENTRY_BYTES + 1))
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise UnreadableEntryError(str(error)) from error
        except Exception as error:  # zlib.error, lzma.LZMAError: each compression has its own
            raise UnreadableEntryError(f"cannot be unpacked: {error}") from error


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """Return the name as it was meant: many tools write UTF-8 without saying so."""
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _visible(path: PurePosixPath) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _checked(names: list[str]) -> list[str]:
    visible = sorted(name for name in names if _visible(PurePosixPath(name)))
    if len(visible) > MAX_ENTRIES:
        raise ReadsmithError(
            "dataset_too_many_files",
            f"The dataset holds {len(visible):,} files.",
            f"The limit is {MAX_ENTRIES:,}.",
        )
    return visible


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_ENTRY_BYTES:
        raise UnreadableEntryError(f"is larger than {MAX_ENTRY_BYTES:,} bytes")
    return data
