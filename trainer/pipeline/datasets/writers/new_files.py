"""Makes a folder or a zip that appears whole or not at all, and never in place of another."""

import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.atomic_files import appearing, flush_folder
from shared.errors import ConflictError

Add = Callable[[str, bytes], None]
"""Adds a file: its relative path, and its bytes."""


def is_zip_name(target: Path) -> bool:
    """Tell whether a path that is to be written means a zip."""
    return target.suffix.lower() == ".zip"


def require_free(target: Path) -> None:
    """Raise ReadsmithError target_exists unless nothing is there, or an empty folder."""
    empty = target.is_dir() and not is_zip_name(target) and not any(target.iterdir())
    if os.path.lexists(target) and not empty:
        raise ConflictError(
            "target_exists", f"{target} exists already.", "Choose a name that is not taken."
        )


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder aside, which gets the target's name at the end; raises target_exists."""
    target = target.absolute()
    require_free(target)
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    aside.mkdir(parents=True)
    try:
        yield aside
        flush_folder(aside)
        require_free(target)
        with suppress(FileNotFoundError):
            target.rmdir()  # an empty one
        aside.rename(target)
        flush_folder(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def new_files(target: Path) -> Iterator[Add]:
    """Give what adds files to a new folder, or to a new zip if the name ends so.

    The names must be safe. Raises ReadsmithError target_exists.
    """
    if is_zip_name(target):
        with _new_zip(target) as archive:
            yield lambda name, data: archive.writestr(_entry(name), data)
        return
    with new_folder(target) as folder:

        def add(name: str, data: bytes) -> None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

        yield add


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # stored, as images are compressed already
    entry.external_attr = 0o644 << 16  # else nobody may read what is unpacked
    return entry


@contextmanager
def _new_zip(target: Path) -> Iterator[zipfile.ZipFile]:
    require_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with appearing(target) as aside:
        with zipfile.ZipFile(aside, "w") as archive:
            yield archive
        require_free(target)
    flush_folder(target.parent)
