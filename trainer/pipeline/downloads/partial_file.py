"""An incomplete download: stored, so that a later attempt resumes it."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from itertools import count
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shared.atomic_files import flush_folder, write_atomically


class Validators(BaseModel):
    """A server's validators of one version of a file (RFC 9110, section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def for_range(self) -> str | None:
        """The value for If-Range. Weak tags do not promise the same bytes."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.last_modified

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that request the file only if it has changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}

    def agree_with(self, later: "Validators") -> bool:
        """Return whether a response with these validators, or some, is of the same version."""
        return (later.etag or self.etag, later.last_modified or self.last_modified) == (
            self.etag,
            self.last_modified,
        )


class PartFile:
    """The first bytes of a file, and the validators of the version that they belong to."""

    def __init__(self, path: Path, file: BufferedRandom) -> None:
        self.path = path
        self._file = file
        self._record = path.with_suffix(".note")
        self.size = file.seek(0, os.SEEK_END)
        self.validators = self._read_record()

    @property
    def resumable(self) -> bool:
        """Whether the rest can be requested."""
        return self.size > 0 and self.validators.for_range is not None

    def restart(self, validators: Validators) -> None:
        """Discard the content and begin a file with these validators."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        # After the truncation: the bytes must never be older than their validators.
        write_atomically(self._record, validators.model_dump_json().encode())
        self.validators = validators

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self.size += len(data)

    def sha256(self) -> str:
        """Flush the content to disk and return its hash."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()

    def complete_as(self, target: Path) -> None:
        """Rename the part, now complete, to the target."""
        self._record.unlink(missing_ok=True)
        self.path.rename(target)
        flush_folder(target.parent)

    def discard(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def _read_record(self) -> Validators:
        try:
            return Validators.model_validate_json(self._record.read_bytes())
        except (FileNotFoundError, ValidationError):
            return Validators()


@contextmanager
def open_part(folder: Path, name: str) -> Iterator[PartFile]:
    """Open the first part of this name that no other process writes, or a new one.

    Processes that download the same file at once get different parts, and the lock of a process
    that dies is released. At the end a part that cannot be resumed is deleted.
    """
    for number in count():
        path = folder / f"{name}.{number}.part"
        with path.open("ab+") as file:
            if not _locked(file, path):
                continue
            part = PartFile(path, file)
            try:
                yield part
            finally:
                if not part.resumable and _is_at(file, path):
                    part.discard()
            return


def _locked(file: BufferedRandom, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return _is_at(file, path)


def _is_at(file: BufferedRandom, path: Path) -> bool:
    """Return whether a path still names an open file, not one completed or deleted since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
