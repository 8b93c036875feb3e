"""Writes files so that no reader ever sees half of one, and reads what others have written."""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a path aside, where no file is; what is written there is renamed to this one at the end.

    If that fails it is removed: on a full disk it would only take more room.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    aside.unlink(missing_ok=True)  # a killed process of the same number left it
    try:
        yield aside
        aside.replace(path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)  # it stays, too, if both were one file already


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file so that a reader sees all of it or nothing, also after a power cut.

    mode: the permissions it has from the start, less the umask.
    """
    with _written_aside(path, mode) as file:
        file.write(data)


def copy_atomically(source: Path, path: Path) -> None:
    """Copy a file's content so that a reader sees all of it or nothing, also after a power cut."""
    with source.open("rb") as content, _written_aside(path) as file:
        shutil.copyfileobj(content, file)


@contextmanager
def _written_aside(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    with appearing(path) as aside, open(aside, "wb", opener=opener) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)


def flush_folder(path: Path) -> None:
    """Make what was created, renamed or removed in a folder last."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_small(path: Path, limit: int) -> bytes:
    """Read a file of at most so many bytes.

    Raises OSError, also if it is larger or no regular file: a pipe would be waited for.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if status.st_size > limit:
            raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes")
        return file.read(limit)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
