"""A download that has not arrived whole yet: kept, so that a later try goes on from it."""

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
    """What a server gave to tell one state of a file from another (RFC 9110, section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def for_range(self) -> str | None:
        """What If-Range may say: weak tags do not promise the same bytes."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.last_modified

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for the file only if it has changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}

    def agree_with(self, later: "Validators") -> bool:
        """Tell whether an answer with other validators, some left out perhaps, is of one state."""
        return (later.etag or self.etag, later.last_modified or self.last_modified) == (
            self.etag,
            self.last_modified,
        )


class PartFile:
    """The first bytes of a file, and the validators of the state that they belong to."""

    def __init__(self, path: Path, file: BufferedRandom) -> None:
        self.path = path
        self._file = file
        self._note = path.with_suffix(".note")
        self.size = file.seek(0, os.SEEK_END)
        self.validators = self._read_note()

    @property
    def resumable(self) -> bool:
        """Whether a server can be asked for the rest."""
        return self.size > 0 and self.validators.for_range is not None

    def restart(self, validators: Validators) -> None:
        """Throw away what there is, for a file of these validators."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        write_atomically(self._note, validators.model_dump_json().encode())
        self.validators = validators

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self.size += len(data)

    def sha256(self) -> str:
        """Return the hash of what there is, written to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()

    def complete_as(self, target: Path) -> None:
        """Become a file that is whole."""
        self._note.unlink(missing_ok=True)
        self.path.rename(target)
        flush_folder(target.parent)

    def discard(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _read_note(self) -> Validators:
        try:
            return Validators.model_validate_json(self._note.read_bytes())
        except (FileNotFoundError, ValidationError):
            return Validators()


@contextmanager
def open_part(folder: Path, name: str) -> Iterator[PartFile]:
    """Take the first part of this name that nobody else writes, or a new one.

    Processes that download the same file at once get different parts; one that dies or stops for
    good holds up nobody. At the end a part that cannot be gone on with is deleted.
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
    """Tell whether a path still names an open file: it may have become a whole one, or gone."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
