"""Objects that are files below a folder: written aside, flushed and renamed."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.atomic_files import copy_atomically, flush_folder, read_small, write_atomically
from shared.store.manifest import MOST_BYTES
from shared.store.objects.interface import ChangedMeanwhileError, Content

LOCK = ".lock"


class Folder:
    """The files below a root folder, also for several processes and machines that mount it.

    Every method raises OSError where the folder cannot be used. Reading writes nothing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = str(root)

    def get(self, key: str, known: Content | None = None) -> Content | None:
        """Return a small file's content; one that is still the known one is not read again."""
        path = self.root / key
        try:
            etag = _etag(path)
            if known is not None and known.etag == etag:
                return known
            return Content(read_small(path, MOST_BYTES), etag)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, key: str, data: bytes, replacing: Content | None) -> Content:
        """Compare and write under a lock beside the file.

        What is compared is the content: marks are of the file system, which may give one twice.
        """
        path = self.root / key
        with self.locked(key):
            found = self.get(key)
            if (found.data if found else None) != (replacing.data if replacing else None):
                raise ChangedMeanwhileError
            for aside in path.parent.glob(f".{path.name}.*.tmp"):
                aside.unlink(missing_ok=True)  # a killed process left it: it had the lock
            write_atomically(path, data)
            return Content(data, _etag(path))

    def write(self, key: str, data: bytes) -> None:
        """Write a small file, whatever is there."""
        path = self.root / key
        _make(path.parent)
        write_atomically(path, data)

    def send(self, files: Mapping[str, Path]) -> None:
        """Copy files, one after the other."""
        for key, path in files.items():
            _make((self.root / key).parent)
            copy_atomically(path, self.root / key)

    def keys(self, below: str) -> set[str]:
        """Look for the file, or through the folder; links and the like count as files.

        A folder in which nothing is has a key that ends in a slash: who was cut off between
        making it and writing to it left it.
        """
        start = self.root / below
        if not start.is_dir():
            return {below} if os.path.lexists(start) else set()
        keys = set()
        for folder, folders, files in os.walk(start):
            here = Path(folder).relative_to(self.root)
            links = [name for name in folders if Path(folder, name).is_symlink()]
            keys |= {(here / name).as_posix() for name in (*links, *files)}
            if not folders and not files:
                keys.add(f"{here.as_posix()}/")
        return keys

    def folders(self) -> list[str]:
        """Return the names of the folders in the root."""
        if not self.root.is_dir():
            return []
        return [path.name for path in self.root.iterdir() if path.is_dir()]

    def delete(self, keys: Iterable[str]) -> None:
        """Unlink files, and the folders that are empty then."""
        for key in keys:
            path = self.root / key
            if not key.endswith("/"):
                path.unlink(missing_ok=True)
                path = path.parent
            with suppress(OSError):  # there is more in it
                while path != self.root:
                    path.rmdir()
                    path = path.parent

    def require_conditions(self) -> None:
        """Nothing has to be tried: there is a lock."""

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Lock a file of one's own, which the system unlocks if the process is killed."""
        path = self.root / key
        _make(path.parent)
        with path.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def is_held(self, key: str) -> bool | None:
        """Try to lock the file; one that a killed process left is removed."""
        path = self.root / key
        try:
            with path.open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Have no other process put anything beside this file, as long as the block lasts."""
        folder = (self.root / key).parent
        _make(folder)
        with (folder / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def written(path: Path) -> int | None:
    """Return when a file was written (ns); None if it is not there, or may not be looked at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _etag(path: Path) -> str:
    status = path.stat()
    return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def _make(folder: Path) -> None:
    """Make a folder, and those above it, so that they last."""
    while not folder.is_dir():
        _make(folder.parent)
        with suppress(FileNotFoundError):  # another process removed the empty one above it
            folder.mkdir(exist_ok=True)
            flush_folder(folder.parent)
