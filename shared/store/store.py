"""The folder of published models: the only place where trainer and predictor meet.

<root>/<model>/versions/<n>/…   one bundle; it exists once its manifest does
<root>/<model>/current          the number of the served version
<root>/<model>/history.json     what was current before, and the highest number given
<root>/<model>/settings.json    what a user has chosen for the model
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.atomic_files import flush_folder, write_atomically
from shared.errors import BundleError, ConflictError, NotFoundError, ReadsmithError
from shared.store.errors import Away
from shared.store.manifest import (
    MANIFEST,
    MODEL_NAME_PATTERN,
    FileEntry,
    Manifest,
    read_manifest,
    verify_bundle,
)
from shared.store.model_settings import SETTINGS, ModelSettings, read_settings, write_settings
from shared.store.served_version import VERSION_PATTERN, History, ServedVersion

RETAINED_VERSIONS = 5


class ModelStore:
    """Publishes and finds versions below one root folder.

    Publishing never shows a half version: files are written aside, flushed and renamed,
    the manifest comes last, then ``current``. Of each model the last ``keep`` versions stay,
    and always the current one and the one before it.
    """

    def __init__(self, root: Path | str, keep: int = RETAINED_VERSIONS) -> None:
        self.root = Path(root)
        self.address = str(root)
        self._keep = keep

    @property
    def away(self) -> Away | None:
        """Since when and why the store cannot be asked; a folder always can."""
        return None

    def prepare(self) -> None:
        """Make the folder; raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)

    def problem(self) -> str | None:
        """Say why nothing can be published; None if all is well."""
        writable = os.access(self.root, os.W_OK | os.X_OK)
        return None if writable else f"{self.root} cannot be written to"

    def models(self) -> list[str]:
        """Return the names of the models that have a version, sorted."""
        if not self.root.is_dir():
            return []
        names = (entry.name for entry in self.root.iterdir())
        return sorted(
            name for name in names if re.fullmatch(MODEL_NAME_PATTERN, name) and self._listed(name)
        )

    def require(self, model: str) -> None:
        """Raise ReadsmithError model_not_found if the model has no version."""
        if model not in (models := self.models()):
            raise NotFoundError(
                "model_not_found",
                f"No version of a model {model!r} has been published.",
                f"There are: {', '.join(models) or 'none'}.",
            )

    def versions(self, model: str) -> list[int]:
        """Return the published version numbers that can be seen, ascending."""
        try:
            names = [entry.name for entry in (self.root / model / "versions").iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        numbers = sorted(int(name) for name in names if re.fullmatch(VERSION_PATTERN, name))
        return [number for number in numbers if self._exists(model, number)]

    def folder(self, model: str, version: int) -> Path:
        """Return where a version's bundle lies, published or not."""
        return self.root / model / "versions" / str(version)

    def current(self, model: str) -> int | None:
        """Return the number of the served version, None before the first.

        Raises BundleError if ``current`` does not hold a version number.
        """
        return self._served(model).number()

    def current_if_known(self, model: str) -> int | None:
        """Return the number of the served version, None also where it cannot be told."""
        return self._served(model).number_or_none()

    def previous(self, model: str) -> int | None:
        """Return the version that rollback would make current, None if there is none."""
        return next(reversed(self.history(model).before), None)

    def history(self, model: str) -> History:
        """Return what was current before, and the highest number that was given."""
        return self._served(model).history()

    def manifest(self, model: str, version: int) -> Manifest:
        """Read a version's manifest; raises BundleError."""
        return read_manifest(self.folder(model, version))

    def stamp(self, model: str, version: int) -> Hashable:
        """Return what differs after a change of the model, or of this version of it."""
        settings, current = self.root / model / SETTINGS, self.root / model / "current"
        return _written(current), self.written(model, version), _written(settings)

    def written(self, model: str, version: int) -> Hashable:
        """Return what differs for each bundle of this number; None if there is none."""
        return _written(self.folder(model, version) / MANIFEST)

    def settings(self, model: str) -> ModelSettings:
        """Return what a user has chosen for the model; raises BundleError."""
        return read_settings(self.root / model)

    def change_settings(self, model: str, settings: ModelSettings) -> None:
        """Keep what a user has chosen; raises ReadsmithError model_not_found."""
        with self._existing(model):
            write_settings(self.root / model, settings)

    def promote(self, model: str, version: int) -> None:
        """Make a kept version current, once its files have been verified.

        Raises ReadsmithError model_not_found or version_not_found, or BundleError.
        """
        with self._existing(model):
            if version not in (kept := self.versions(model)):
                raise version_not_found(model, version, kept)
            self._verify(model, version)
            self._served(model).change(version)

    def rollback(self, model: str) -> int:
        """Make the version current that was so before; done again, it goes back further.

        Returns its number. Raises ReadsmithError model_not_found or no_earlier_version, or
        BundleError.
        """
        with self._existing(model):
            version = self.previous(model)
            if version is None:
                raise no_earlier_version(model, self.versions(model))
            self._verify(model, version)
            self._served(model).step_back()
            return version

    def publish(
        self,
        build: Path,
        make_manifest: Callable[[int, dict[str, FileEntry]], Manifest],
        *,
        model: str,
        job_id: str,
        may_publish: Callable[[], None] = lambda: None,
        promote: Callable[[int | None], bool] = lambda current: True,
    ) -> Manifest:
        """Publish all files below ``build`` as the model's next version, then remove old ones.

        make_manifest gets the version number and the entry of each file. With the model locked,
        promote gets the served version (None if there is none that can be told) and says whether
        to make the new one current; then may_publish is called, which raises to refuse, and once
        more when only the manifest is missing. A job that has published already gets its version
        again, so that a repeated attempt publishes nothing twice; it is asked about only if the
        first attempt was cut off before its end.
        """
        with self._locked(model):
            served = self._served(model)
            published = self._version_of_job(model, job_id)
            finished = published is not None and published.version <= served.history().highest
            promoted = not finished and promote(served.number_or_none())
            may_publish()
            if published is None:
                version = self._next_number(model)
                published = self._write_bundle(build, make_manifest, model, version, may_publish)
            if promoted:
                served.change(published.version)
            if not finished:
                served.use_up(max(self.versions(model)))
                self._remove_old(model)
            return published

    def _listed(self, model: str) -> list[int]:
        """Return the model's versions; one that may not be looked at hides no others."""
        try:
            return self.versions(model)
        except OSError:
            return []

    def _exists(self, model: str, version: int) -> bool:
        """Tell whether the version has a manifest; False, too, where that may not be looked at."""
        return os.path.isfile(self.folder(model, version) / MANIFEST)  # noqa: PTH113

    def _version_of_job(self, model: str, job_id: str) -> Manifest | None:
        for version in reversed(self.versions(model)):
            try:
                manifest = self.manifest(model, version)
            except BundleError:
                continue  # a damaged neighbour must not stop a new version
            if manifest.job_id == job_id:
                return manifest
        return None

    def _next_number(self, model: str) -> int:
        """Return a number never used; what a killed publisher left half done is removed."""
        for aside in (self.root / model).glob(".*.tmp"):
            aside.unlink(missing_ok=True)
        used = [self._served(model).history().highest]
        for entry in list((self.root / model / "versions").iterdir()):
            if re.fullmatch(VERSION_PATTERN, entry.name):
                if not self._exists(model, int(entry.name)):
                    _remove(entry)
                if entry.exists():
                    used.append(int(entry.name))
        return max(used) + 1

    def _write_bundle(
        self,
        build: Path,
        make_manifest: Callable[[int, dict[str, FileEntry]], Manifest],
        model: str,
        version: int,
        may_publish: Callable[[], None],
    ) -> Manifest:
        target = self.folder(model, version)
        target.mkdir()
        try:
            flush_folder(target.parent)
            names = sorted(p.relative_to(build).as_posix() for p in build.rglob("*") if p.is_file())
            for name in names:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target / name, (build / name).read_bytes())
            manifest = make_manifest(version, {name: FileEntry.of(build / name) for name in names})
            may_publish()  # again: copying takes its time
            write_atomically(target / MANIFEST, manifest.model_dump_json(indent=2).encode())
        except BaseException:
            _remove(target)  # on a full disk it would only take more room
            raise
        return manifest

    def _verify(self, model: str, version: int) -> None:
        verify_bundle(self.folder(model, version), self.manifest(model, version).files)

    def _served(self, model: str) -> ServedVersion:
        return ServedVersion(self.root / model, self.versions(model))

    def _remove_old(self, model: str) -> None:
        """Remove what need not be kept."""
        try:
            needed = {self.current(model), self.previous(model)}
        except BundleError:
            return  # any of them may be the one that is served
        for version in self.versions(model)[: -self._keep]:
            if version not in needed:
                _remove(self.folder(model, version))

    @contextmanager
    def _existing(self, model: str) -> Iterator[None]:
        """Lock a model that must exist."""
        self.require(model)
        with self._locked(model):
            yield

    @contextmanager
    def _locked(self, model: str) -> Iterator[None]:
        folder = self.root / model
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def version_not_found(model: str, version: int, kept: Sequence[int]) -> ReadsmithError:
    """Say that a model has no such version."""
    return NotFoundError(
        "version_not_found",
        f"Model {model} has no version {version}.",
        f"Kept are {', '.join(map(str, kept))}.",
    )


def no_earlier_version(model: str, kept: Sequence[int]) -> ReadsmithError:
    """Say that there is no step back."""
    return ConflictError(
        "no_earlier_version",
        f"No kept version of model {model} was current before this one.",
        f"Promote one by its number: {', '.join(map(str, kept))}.",
    )


def _written(path: Path) -> int | None:
    """Return when a file was written (ns); None if it is not there, or may not be looked at."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _remove(version: Path) -> None:
    """Remove a version's folder, the manifest first: half a version does not exist."""
    with suppress(OSError):  # what stays is in nobody's way
        (version / MANIFEST).unlink(missing_ok=True)
        flush_folder(version)
        shutil.rmtree(version)
