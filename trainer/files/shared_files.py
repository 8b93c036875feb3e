"""Files that all trainers and workers see: uploads, corrections' images, jobs' checkpoints.

A file has a name with slashes: `uploads/<dataset id>.zip`, `datasets/<dataset id>/images/
<sha256>.png`, `corrections/<model>/<sha256>.png`, `jobs/<job id>/checkpoint.npz`. It is there whole
or not at all, and is never changed in place.
"""

import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from shared.atomic_files import appearing, copy_atomically, flush_folder
from shared.store.objects.folder import Folder
from shared.store.objects.interface import ObjectStore

UPLOADS = "uploads"
DATASETS = "datasets"
CORRECTIONS = "corrections"


def upload_name(dataset_id: str) -> str:
    """Return the name of an upload's zip."""
    return f"{UPLOADS}/{dataset_id}.zip"


def dataset_folder(dataset_id: str) -> str:
    """Return the folder of a living dataset."""
    return f"{DATASETS}/{dataset_id}"


def dataset_image_name(dataset_id: str, sha256: str, ending: str) -> str:
    """Return the name of an image of a living dataset."""
    return f"{dataset_folder(dataset_id)}/images/{sha256}.{ending}"


def dataset_version_name(dataset_id: str, version: int) -> str:
    """Return the name of the list of what a version of a living dataset holds."""
    return f"{dataset_folder(dataset_id)}/versions/{version}.csv"


class SharedFiles(ABC):
    """Stores files by name; every method raises OSError or ReadsmithError where that fails."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def save(self, path: Path, name: str) -> None:
        """Store a file as it is now, all or nothing; it must not be written to afterwards."""
        self._objects.send({name: path})

    @abstractmethod
    def fetch(self, name: str, path: Path) -> bool:
        """Bring a file to a path, where it appears whole, to be read; False if there is none."""

    @abstractmethod
    def local(self, name: str, cache: Path) -> Path | None:
        """Return where to read a file on this machine, a copy in the cache if need be.

        None if there is none.
        """

    def read(self, name: str) -> bytes | None:
        """Return a small file's content; None if there is none."""
        content = self._objects.get(name)
        return content.data if content else None

    def write(self, data: bytes, name: str) -> None:
        """Store a small file, all or nothing."""
        self._objects.write(name, data)

    def names(self, prefix: str) -> set[str]:
        """Return the names of a file, or of all below a folder; none if nothing is there."""
        return {key for key in self._objects.keys(prefix) if not key.endswith("/")}

    def remove(self, prefix: str) -> None:
        """Remove a file, or everything below a folder; nothing there is fine."""
        self._objects.delete(self._objects.keys(prefix))


class FolderFiles(SharedFiles):
    """Files in a folder: of this machine, or one that all machines mount."""

    def __init__(self, root: Path) -> None:
        super().__init__(Folder(root))
        self._root = root

    def save(self, path: Path, name: str) -> None:
        """Link the file, or copy it from another disk."""
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(path, target)

    def fetch(self, name: str, path: Path) -> bool:
        """Link the file, or copy it to another disk."""
        try:
            _put(self._root / name, path)
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """Read the file."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, prefix: str) -> None:
        """Unlink the file or the whole folder; the folders above stay: a file may arrive there."""
        path = self._root / prefix
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def local(self, name: str, cache: Path) -> Path | None:
        """Return the file itself."""
        path = self._root / name
        return path if path.is_file() else None


def _put(path: Path, target: Path) -> None:
    """Make the target the same file, or a copy; raises FileNotFoundError if there is none."""
    try:
        with appearing(target) as aside:
            os.link(path, aside)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        copy_atomically(path, target)
    else:
        flush_folder(target.parent)
