"""The published models: the only place where trainer and predictor meet.

<root>/<model>/versions/<n>/…   one bundle, never changed; its manifest is written last
<root>/<model>/model.json       which versions there are, which is served, what a user has chosen
<root>/DEFAULT_MODEL            the model that answers requests that name none, if one was chosen

The root is a folder here, and the prefix of a bucket in shared/store/object_store.py.
"""

import logging
import os
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from shared.errors import (
    BundleError,
    ConflictError,
    NotFoundError,
    ReadsmithError,
    StorageAwayError,
)
from shared.store.errors import Away
from shared.store.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    parse_manifest,
    read_file,
    verify_bundle,
)
from shared.store.objects.folder import Folder, written
from shared.store.objects.interface import ObjectStore
from shared.store.records.earlier_layout import CURRENT, EarlierLayout
from shared.store.records.publication import Publication, remove_garbage, retried
from shared.store.records.record import Deleted, Listed, ModelRecord, ModelSettings
from shared.store.records.records import RECORD, ModelRecords

RETAINED_VERSIONS = 5
DELETED_DAYS = 7
"""How long what a user deletes can be restored; the next change after that removes its files."""
NOWHERE: Final = ()
"""Where models were before any was seen."""

log = logging.getLogger("readsmith.store")


class ModelStore:
    """Publishes and finds versions below one root folder, also for several processes at once.

    Of each model the last ``keep`` versions are retained, and always the current one and the one
    before it.
    """

    _away: Away | None = None
    _held_in: Hashable = NOWHERE
    """The folder in which models were last seen."""

    def __init__(self, root: Path | str, keep: int = RETAINED_VERSIONS) -> None:
        self.root = Path(root)
        self.address = str(root)
        self._folder = Folder(self.root)
        self._objects: ObjectStore = self._folder
        self._records = ModelRecords(self._objects, EarlierLayout(self.root))
        self._keep = keep

    @property
    def away(self) -> Away | None:
        """Since when and why the models cannot be had, as `models` has last found it."""
        return self._away

    def prepare(self) -> None:
        """Make the folder; raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)

    def problem(self) -> str | None:
        """Say why nothing can be published; None if all is well."""
        with suppress(OSError):  # which `away` tells then
            self._names()
        if self.away is not None:
            return self.away.reason
        writable = os.access(self.root, os.W_OK | os.X_OK)
        return None if writable else f"{self.root} cannot be written to"

    def models(self) -> list[str]:
        """Return the names of the models that have a version, or a damaged record; sorted."""
        return [name for name in self._names() if self._is_model(name)]

    def require(self, model: str) -> None:
        """Raise ReadsmithError model_not_found if the model has no version."""
        if model not in (models := self.models()):
            raise NotFoundError(
                "model_not_found",
                f"No version of a model {model!r} has been published.",
                f"There are: {', '.join(models) or 'none'}.",
            )

    def record(self, model: str) -> ModelRecord:
        """Return all that is known of a model; raises BundleError if that is damaged."""
        return self._present(model, self._records.look(model))

    def default(self) -> str | None:
        """Return the model that was chosen to answer requests that name none; None if none was.

        It need not be there any more.
        """
        return self._records.default()

    def set_default(self, model: str | None) -> None:
        """Choose the model that answers requests that name none; None takes the choice back.

        Raises ReadsmithError model_not_found.
        """
        if model is not None:
            self.require(model)
        self._records.set_default(model)

    def versions(self, model: str) -> list[int]:
        """Return the published version numbers, ascending.

        With a damaged record these are the numbers whose manifests are there.
        """
        try:
            return self.record(model).numbers
        except BundleError:
            keys = [key.split("/") for key in self._objects.keys(f"{model}/versions")]
            return sorted(int(n) for _, _, n, *name in keys if name == [MANIFEST] and n.isdecimal())

    def folder(self, model: str, version: int) -> Path:
        """Return the folder of a version's bundle, as it is; raises BundleError."""
        return self.root / model / "versions" / str(version)

    def current(self, model: str) -> int | None:
        """Return the number of the served version, None before the first.

        Raises BundleError if what says so is damaged.
        """
        return self._records.look(model).current

    def current_if_known(self, model: str) -> int | None:
        """Return the number of the served version, None also where it cannot be told.

        While the storage is away, it is the one that was last seen; StorageError if none was.
        """
        try:
            return self.current(model)
        except BundleError:
            return None
        except StorageAwayError:
            if (seen := self._records.seen(model)) is None:
                raise
            return seen.current

    def previous(self, model: str) -> int | None:
        """Return the version that rollback would make current, None if there is none."""
        return self.record(model).previous

    def manifest(self, model: str, version: int) -> Manifest:
        """Read a version's manifest, which must be the one that was published; or BundleError."""
        return self._read_manifest(model, version, self._published(model, version).manifest_sha256)

    def stamp(self, model: str, version: int) -> Hashable:
        """Return what differs after a change of the model, or of this version of it."""
        record = self._records.look(model)
        return record.current, self.written(model, version), record.settings

    def written(self, model: str, version: int) -> Hashable:
        """Return what differs for each bundle of this number; None if there is none."""
        listed = self._records.look(model).versions.get(version)
        at = written(self.folder(model, version) / MANIFEST)
        return None if listed is None or at is None else (listed, at)

    def settings(self, model: str) -> ModelSettings:
        """Return what a user has chosen for the model; raises BundleError."""
        return self._records.look(model).settings

    def change_settings(self, model: str, settings: ModelSettings) -> None:
        """Store what a user has chosen; what these settings do not name stays as it is.

        Raises ReadsmithError model_not_found, or BundleError.
        """
        self.require(model)
        chosen = {name: getattr(settings, name) for name in settings.model_fields_set}

        def change(record: ModelRecord) -> ModelRecord:
            return record.model_copy(update={"settings": record.settings.model_copy(update=chosen)})

        self._records.change(model, change)

    def promote(self, model: str, version: int) -> None:
        """Make a retained version current, once its files have been verified.

        Raises ReadsmithError model_not_found or version_not_found, or BundleError.
        """
        self.require(model)
        self._mend(model)

        def serve(record: ModelRecord) -> ModelRecord:
            present = self._present(model, record)
            if version not in present.versions:
                raise version_not_found(model, version, present.numbers)
            self._verify(model, version)
            return present.serving(version)

        self._records.change(model, serve)

    def rollback(self, model: str) -> int:
        """Make the version current that was so before; done again, it goes back further.

        Returns its number. Raises ReadsmithError model_not_found or no_earlier_version, or
        BundleError.
        """
        self.require(model)
        steps: list[int] = []

        def step_back(record: ModelRecord) -> ModelRecord:
            present = self._present(model, record)
            if present.previous is None:
                raise no_earlier_version(model, present.numbers)
            self._verify(model, present.previous)
            steps.append(present.previous)
            return present.stepped_back()

        self._records.change(model, step_back)
        return steps[-1]

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

        make_manifest gets the version number and the entry of each file. promote gets the served
        version (None if there is none that can be told) and says whether to make the new one
        current; it is asked once more where another version became current meanwhile. Then
        may_publish is called, which raises to refuse, and once more when only the manifest is
        missing. A job that has published already gets its version again, so that a repeated
        attempt publishes nothing twice.

        Raises ReadsmithError publication_superseded if another attempt of the job began to
        publish after this one.
        """
        mended = self._mend(model)
        record = retried(lambda: self.record(model))
        published = record.of_job(job_id)
        decisions = {} if published else {record.current: promote(record.current)}
        may_publish()
        if published:
            return self.manifest(model, published)

        def change(record: ModelRecord, number: int) -> ModelRecord:
            if record.current not in decisions:
                decisions[record.current] = promote(record.current)
            present = _without_old(self._present(model, record))
            served = present.serving(number) if decisions[record.current] else present
            return served if mended else served.retaining(self._keep)

        publication = Publication(self._objects, self._records, model, job_id)
        manifest = publication.publish(build, make_manifest, may_publish, change)
        remove_garbage(self._objects, self._records, model)
        return manifest

    def delete(self, model: str, version: int | None = None, *, force: bool = False) -> None:
        """Delete a version, or all of them and so the model; `restore` takes it back.

        In place of a served version the one before it is served, if there is one. Raises
        ReadsmithError model_not_found, version_not_found, or version_served unless force is set,
        or BundleError.
        """
        self.require(model)

        def remove(record: ModelRecord) -> ModelRecord:
            present = _without_old(self._present(model, record))
            numbers = present.numbers if version is None else [version]
            if version is not None and version not in present.versions:
                raise version_not_found(model, version, present.numbers)
            if present.current in numbers and not force:
                raise _version_served(model, present.current)
            return present.without(numbers, datetime.now(UTC))

        self._records.change(model, remove)
        remove_garbage(self._objects, self._records, model)

    def restore(self, model: str, version: int | None = None) -> list[int]:
        """Take back the deletion of a version, or of all that are deleted; return their numbers.

        Where nothing is served, the version that was served before its deletion is served again.
        Raises ReadsmithError version_not_found, or BundleError.
        """
        restored: list[int] = []

        def bring_back(record: ModelRecord) -> ModelRecord:
            kept = _without_old(record)
            restored[:] = sorted(kept.deleted) if version is None else [version]
            if not restored or not kept.deleted.keys() >= set(restored):
                raise _not_deleted(model, version, sorted(kept.deleted))
            return kept.restored(restored)

        self._records.change(model, bring_back)
        return restored

    def deleted(self, model: str) -> dict[int, Deleted]:
        """Return the deleted versions that can be restored; raises BundleError."""
        return _without_old(self._records.look(model)).deleted

    def models_with_deleted(self) -> list[str]:
        """Return the names of the models of which something can be restored, sorted."""
        return [name for name in self._names() if self._has_deleted(name)]

    def _has_deleted(self, name: str) -> bool:
        try:
            return bool(self.deleted(name))
        except BundleError:
            return False

    def _names(self) -> list[str]:
        """Return what may be models, and note whether those that were there can be had."""
        try:
            names = self._records.models()
        except OSError as error:
            self._note_away(f"{self.address} cannot be read: {error.strerror}")
            raise
        if names:
            self._held_in = self._identity()
        if names or self._held_in in (NOWHERE, self._identity()):
            self._away = None
        else:
            self._note_away(
                f"{self.address} holds none of the models that were there: it was deleted or "
                "emptied, or is not mounted any more"
            )
        return names

    def _note_away(self, reason: str) -> None:
        if self._away is None:
            log.warning("%s.", reason)
        self._away = Away(self._away.since if self._away else datetime.now(UTC), reason)

    def _identity(self) -> Hashable:
        """Return what tells this folder from another at its place; a user may empty this one."""
        try:
            status = self.root.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _is_model(self, name: str) -> bool:
        try:
            return bool(self._records.look(name).versions)
        except BundleError:
            return True  # it hides no others, and a request for it reports it

    def _present(self, model: str, record: ModelRecord) -> ModelRecord:
        """Return the record without versions that somebody has removed by hand."""
        manifests = {n: self.folder(model, n) / MANIFEST for n in record.versions}
        return record.having([n for n, path in manifests.items() if os.path.isfile(path)])  # noqa: PTH113 - False where it may not be looked at

    def _published(self, model: str, version: int) -> Listed:
        listed = self._records.look(model).versions.get(version)
        if listed is None:
            raise BundleError(f"Model {model} has no version {version}.", "manifest")
        return listed

    def _read_manifest(self, model: str, version: int, sha256: str) -> Manifest:
        data = self._manifest_data(model, version, sha256)
        return parse_manifest(data, sha256, f"{MANIFEST} of {model}/{version}")

    def _manifest_data(self, model: str, version: int, sha256: str) -> bytes:
        return read_file(self.folder(model, version), MANIFEST, "manifest")

    def _verify(self, model: str, version: int) -> None:
        """Raise BundleError unless the version's files are as they were published."""
        verify_bundle(self.folder(model, version), self.manifest(model, version).files)

    def _mend(self, model: str) -> bool:
        """Move a record that cannot be read out of the way; tell whether there was one.

        Without it, a model has the versions whose manifests are there, and none of them is
        served. The way back, and what a user has chosen for the model, are lost.
        """
        try:
            self._records.look(model)
        except BundleError:
            with self._folder.locked(f"{model}/{RECORD}"):
                return self._set_damaged_record_aside(model)
        return False

    def _set_damaged_record_aside(self, model: str) -> bool:
        folder = self.root / model
        try:
            self._records.look(model)
        except BundleError as error:
            earlier = not os.path.lexists(folder / RECORD)
            if earlier and error.part == "settings":
                raise  # they need not be lost: repairing the file restores them
            damaged = folder / (CURRENT if earlier else RECORD)
            damaged.replace(folder / f"{damaged.name}.damaged")
            log.warning("%s It is named %s.damaged now.", error.message, damaged.name)
            return True
        return False  # another process did so


def version_not_found(
    model: str, version: int, retained: Sequence[int], field: str | None = None
) -> ReadsmithError:
    """Say that a model has no such version; field: of the request that names it."""
    return NotFoundError(
        "version_not_found",
        f"Model {model} has no version {version}.",
        f"Retained: {', '.join(map(str, retained)) or 'none'}.",
        field,
    )


def no_earlier_version(model: str, retained: Sequence[int]) -> ReadsmithError:
    """Say that there is no step back."""
    return ConflictError(
        "no_earlier_version",
        f"No retained version of model {model} was current before this one.",
        f"Promote one by its number: {', '.join(map(str, retained))}.",
    )


def _without_old(record: ModelRecord) -> ModelRecord:
    return record.forgetting(datetime.now(UTC) - timedelta(days=DELETED_DAYS))


def _version_served(model: str, version: int) -> ReadsmithError:
    return ConflictError(
        "version_served",
        f"Version {version} of model {model} is served.",
        "Promote another first; or delete it all the same: --yes on the command line, "
        "force=true over HTTP.",
    )


def _not_deleted(model: str, version: int | None, kept: Sequence[int]) -> ReadsmithError:
    what = "deleted version" if version is None else f"deleted version {version}"
    return NotFoundError(
        "version_not_found",
        f"Model {model[:64]!r} has no {what} that could be restored.",
        f"There are: {', '.join(map(str, kept)) or 'none'}. They are kept for {DELETED_DAYS} days.",
    )
