"""The folder of published models: the only place where trainer and predictor meet.

<root>/<model>/versions/<n>/…   one bundle; it exists once its manifest does
<root>/<model>/current          the number of the served version
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.manifest import (
    MANIFEST,
    MODEL_NAME_PATTERN,
    BundleError,
    FileEntry,
    Manifest,
    read_manifest,
)


class ModelStore:
    """Publishes and finds versions below one root folder.

    Publishing never shows a half version: files are written aside, flushed and renamed,
    the manifest comes last, then ``current``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def models(self) -> list[str]:
        """Return the names of the models that have a version, sorted."""
        if not self.root.is_dir():
            return []
        names = (entry.name for entry in self.root.iterdir() if (entry / "versions").is_dir())
        return sorted(
            name for name in names if re.fullmatch(MODEL_NAME_PATTERN, name) and self.versions(name)
        )

    def versions(self, model: str) -> list[int]:
        """Return the published version numbers, ascending."""
        folder = self.root / model / "versions"
        if not folder.is_dir():
            return []
        return sorted(
            int(entry.name)
            for entry in folder.iterdir()
            if entry.name.isdecimal() and (entry / MANIFEST).is_file()
        )

    def folder(self, model: str, version: int) -> Path:
        """Return where a version's bundle lies, published or not."""
        return self.root / model / "versions" / str(version)

    def current(self, model: str) -> int | None:
        """Return the number of the served version, None before the first.

        Raises BundleError if ``current`` does not hold a version number.
        """
        try:
            text = (self.root / model / "current").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(f"current of model {model} cannot be read: {error}.") from error
        if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
            raise BundleError(f"current of model {model} says {text[:40]!r}, not a version number.")
        return int(text)

    def manifest(self, model: str, version: int) -> Manifest:
        """Read a version's manifest; raises BundleError."""
        return read_manifest(self.folder(model, version))

    def publish(
        self,
        build: Path,
        make_manifest: Callable[[int, dict[str, FileEntry]], Manifest],
        *,
        model: str,
        job_id: str,
        may_publish: Callable[[], None] = lambda: None,
    ) -> Manifest:
        """Publish all files below ``build`` as the model's next version and make it current.

        make_manifest gets the version number and the entry of each file. may_publish is called
        with the model locked and raises to refuse. A job that has published already gets its
        version again, so that a repeated attempt publishes nothing twice.
        """
        with self._locked(model):
            may_publish()
            published = self._version_of_job(model, job_id)
            if published is None:
                version = max([0, *self._numbers(model)]) + 1
                published = self._write_bundle(build, make_manifest, model, version)
            if (self.current(model) or 0) < published.version:
                self._set_current(model, published.version)
            return published

    def _version_of_job(self, model: str, job_id: str) -> Manifest | None:
        for version in reversed(self.versions(model)):
            try:
                manifest = self.manifest(model, version)
            except BundleError:
                continue  # a damaged neighbour must not stop a new version
            if manifest.job_id == job_id:
                return manifest
        return None

    def _numbers(self, model: str) -> Iterator[int]:
        """Yield every number in use; what a killed publisher left half done is removed."""
        for entry in list((self.root / model / "versions").iterdir()):
            if not entry.name.isdecimal():
                continue
            if (entry / MANIFEST).is_file():
                yield int(entry.name)
            else:
                shutil.rmtree(entry)

    def _write_bundle(
        self,
        build: Path,
        make_manifest: Callable[[int, dict[str, FileEntry]], Manifest],
        model: str,
        version: int,
    ) -> Manifest:
        target = self.folder(model, version)
        target.mkdir()
        _flush_folder(target.parent)
        names = sorted(p.relative_to(build).as_posix() for p in build.rglob("*") if p.is_file())
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target / name, (build / name).read_bytes())
        manifest = make_manifest(version, {name: FileEntry.of(build / name) for name in names})
        write_atomically(target / MANIFEST, manifest.model_dump_json(indent=2).encode())
        return manifest

    def _set_current(self, model: str, version: int) -> None:
        write_atomically(self.root / model / "current", f"{version}\n".encode("ascii"))

    @contextmanager
    def _locked(self, model: str) -> Iterator[None]:
        folder = self.root / model
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, also after a power cut."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
