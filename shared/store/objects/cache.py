"""Copies of published bundles on this machine, by the hash of their manifest."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from shared.atomic_files import read_small
from shared.errors import BundleError
from shared.store.manifest import MANIFEST, MOST_BYTES, read_manifest, verify_bundle

ABANDONED_SECONDS = 24 * 3600


class BundleCache:
    """A folder of whole, verified bundles, shared by the processes of a machine.

    It has at most max_bytes, but for the bundles that are to stay and the one just fetched; what
    was not used for longest goes first.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes

    def manifest(self, sha256: str) -> bytes | None:
        """Return the manifest of this hash; None if its bundle is not here, or not as it was."""
        try:
            data = read_small(self.folder / sha256 / MANIFEST, MOST_BYTES)
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def bundle(
        self, sha256: str, fetch: Callable[[Path], None], staying: Collection[str] = ()
    ) -> Path:
        """Return the folder of the bundle whose manifest has this hash, every file verified.

        fetch brings it into an empty folder where it is not here, or not as it was. Raises
        BundleError if what comes is not it either. staying: bundles that are not removed.
        """
        path = self.folder / sha256
        if path.is_dir():
            with suppress(BundleError):
                _verify(path, sha256)
                path.touch()
                return path
            self.drop(sha256)
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".fetched-", dir=self.folder))
        try:
            fetch(aside)
            _verify(aside, sha256)
            with suppress(OSError):  # another process was faster
                aside.rename(path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._make_room({sha256, *staying})
        return path

    def drop(self, sha256: str) -> None:
        """Remove a bundle, so that nobody sees half of it; none there is fine."""
        if not (self.folder / sha256).is_dir():
            return
        aside = Path(tempfile.mkdtemp(prefix=".dropped-", dir=self.folder))
        with suppress(OSError):  # another process was faster
            (self.folder / sha256).rename(aside / sha256)
        shutil.rmtree(aside, ignore_errors=True)

    def _make_room(self, staying: Collection[str]) -> None:
        self._remove_abandoned()
        bundles = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        total = 0
        for path in sorted(bundles, key=_last_used, reverse=True):
            total += _size(path)
            if total > self._max_bytes and path.name not in staying:
                self.drop(path.name)

    def _remove_abandoned(self) -> None:
        """Remove what killed processes left half done."""
        for path in self.folder.glob(".*-*"):
            if _last_used(path) < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _verify(folder: Path, sha256: str) -> None:
    """Raise BundleError unless the folder holds the bundle whose manifest has this hash."""
    verify_bundle(folder, read_manifest(folder, sha256).files)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()  # another process removes it


def _size(path: Path) -> int:
    sizes = 0
    for file in path.rglob("*"):
        with suppress(OSError):
            sizes += file.lstat().st_size
    return sizes
