"""The model store on an object storage: the layout of the folder, but for what changes.

<prefix>/<model>/versions/<n>/…   one bundle, its manifest written last
<prefix>/<model>/model.json       which versions there are, which is served, what a user has
                                  chosen: shared/store/objects/record.py says why it is one object

Files of a version are read from a verified copy in a cache on this machine.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

from shared.errors import BundleError, StorageAwayError, StorageError
from shared.store.manifest import MANIFEST, FileEntry, Manifest, parse_manifest
from shared.store.model_settings import ModelSettings
from shared.store.objects.bucket import CONDITION, Bucket
from shared.store.objects.cache import BundleCache
from shared.store.objects.publication import Publication, retried
from shared.store.objects.record import Listed, ModelRecord
from shared.store.objects.records import ModelRecords
from shared.store.served_version import History
from shared.store.store import RETAINED_VERSIONS, ModelStore, no_earlier_version, version_not_found

MOST_MANIFESTS = 256
"""Kept in memory."""
CHECK_SECONDS = 5.0


class ObjectModelStore(ModelStore):
    """Publishes and finds versions below the prefix of a bucket, also for many at once.

    Every method raises StorageError where the storage cannot be used.
    """

    def __init__(
        self,
        bucket: Bucket,
        cache: BundleCache,
        keep: int = RETAINED_VERSIONS,
        records: ModelRecords | None = None,
    ) -> None:
        self.address = bucket.address
        self._bucket = bucket
        self._cache = cache
        self._keep = keep
        self._records = records or ModelRecords(bucket)
        self._manifests: dict[str, Manifest] = {}
        self._checking = threading.Lock()
        self._checked_at = -CHECK_SECONDS
        self._problem: str | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return (ObjectModelStore, (self._bucket, self._cache, self._keep))

    def prepare(self) -> None:
        """Nothing has to be made."""

    def problem(self) -> str | None:
        """Say why nothing can be published; None if all is well. Looks every few seconds."""
        with self._checking:  # one asks for all
            if time.monotonic() - self._checked_at > CHECK_SECONDS:
                self._problem = self._look_for_problem()
                self._checked_at = time.monotonic()
            return self._problem

    def _look_for_problem(self) -> str | None:
        try:
            self._records.require_conditions()
            self._bucket.get(CONDITION)
        except StorageError as error:
            return error.message
        return None

    def models(self) -> list[str]:
        """Return the names of the models that have a version, sorted."""
        return [name for name in self._records.models() if self._listed(name)]

    def versions(self, model: str) -> list[int]:
        """Return the published version numbers, ascending."""
        return self._records.look(model).numbers

    def folder(self, model: str, version: int) -> Path:
        """Return a folder with a verified copy of a version's bundle; raises BundleError."""
        sha256 = self._published(model, version).manifest_sha256

        def fetch(folder: Path) -> None:
            data = self._manifest_data(model, version, sha256)
            names = parse_manifest(data).files
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / MANIFEST).write_bytes(data)
            try:
                self._bucket.fetch({_key(model, version, name): folder / name for name in names})
            except FileNotFoundError as error:
                message = f"Version {version} of {model} lacks a file that its manifest lists."
                raise BundleError(message, "files") from error

        return self._cache.bundle(sha256, fetch, staying=self._served_bundles())

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
        return self._records.look(model).previous

    def history(self, model: str) -> History:
        """Return what was current before, and the highest number that was given."""
        record = self._records.look(model)
        return History(before=record.before, highest=record.given)

    def manifest(self, model: str, version: int) -> Manifest:
        """Read a version's manifest; raises BundleError."""
        sha256 = self._published(model, version).manifest_sha256
        if sha256 not in self._manifests:
            self._manifests[sha256] = parse_manifest(self._manifest_data(model, version, sha256))
            if len(self._manifests) > MOST_MANIFESTS:
                del self._manifests[next(iter(self._manifests))]
        return self._manifests[sha256]

    def stamp(self, model: str, version: int) -> Hashable:
        """Return what differs after a change of the model, or of this version of it."""
        record = self._records.look(model)
        return record.current, record.versions.get(version), record.settings

    def written(self, model: str, version: int) -> Hashable:
        """Return what differs for each bundle of this number; None if there is none."""
        return self._records.look(model).versions.get(version)

    def settings(self, model: str) -> ModelSettings:
        """Return what a user has chosen for the model; raises BundleError."""
        return self._records.look(model).settings

    def change_settings(self, model: str, settings: ModelSettings) -> None:
        """Keep what a user has chosen; raises ReadsmithError model_not_found."""
        self.require(model)
        self._records.change(model, lambda r: r.model_copy(update={"settings": settings}))

    def promote(self, model: str, version: int) -> None:
        """Make a kept version current, once its files have been verified.

        Raises ReadsmithError model_not_found or version_not_found, or BundleError.
        """
        self.require(model)

        def serve(record: ModelRecord) -> ModelRecord:
            if version not in record.versions:
                raise version_not_found(model, version, record.numbers)
            self._verify(model, version)
            return record.serving(version)

        self._records.change(model, serve)

    def rollback(self, model: str) -> int:
        """Make the version current that was so before; done again, it goes back further.

        Returns its number. Raises ReadsmithError model_not_found or no_earlier_version, or
        BundleError.
        """
        self.require(model)
        steps: list[int] = []

        def step_back(record: ModelRecord) -> ModelRecord:
            if record.previous is None:
                raise no_earlier_version(model, record.numbers)
            self._verify(model, record.previous)
            steps.append(record.previous)
            return record.stepped_back()

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

        As in a folder, but several may publish at once: promote is asked once more where another
        version became current meanwhile. Raises ReadsmithError publication_superseded if another
        attempt of the job began to publish after this one.
        """
        record = retried(lambda: self._records.look(model))
        published = record.of_job(job_id)
        decisions = {} if published else {record.current: promote(record.current)}
        may_publish()
        if published:
            return self.manifest(model, published)

        def change(record: ModelRecord, number: int) -> ModelRecord:
            if record.current not in decisions:
                decisions[record.current] = promote(record.current)
            served = record.serving(number) if decisions[record.current] else record
            return served.keeping(self._keep)

        publication = Publication(self._bucket, self._records, model, job_id)
        manifest = publication.publish(build, make_manifest, may_publish, change)
        publication.remove_garbage()
        return manifest

    def _published(self, model: str, version: int) -> Listed:
        listed = self._records.look(model).versions.get(version)
        if listed is None:
            raise BundleError(f"Model {model} has no version {version}.", "manifest")
        return listed

    def _manifest_data(self, model: str, version: int, sha256: str) -> bytes:
        """Return the manifest from the cache, else from the storage; raises BundleError."""
        data = self._cache.manifest(sha256)
        if data is not None:
            return data
        content = self._bucket.get(_key(model, version, MANIFEST))
        if content is None or hashlib.sha256(content.data).hexdigest() != sha256:
            found = "does not have the SHA-256 that was published" if content else "is missing"
            raise BundleError(f"{MANIFEST} of {model}/{version} {found}.", "manifest")
        return content.data

    def _verify(self, model: str, version: int) -> None:
        """Raise BundleError unless the version can be had from the storage as it was published."""
        self._cache.drop(self._published(model, version).manifest_sha256)
        self.folder(model, version)

    def _served_bundles(self) -> set[str]:
        """Return the served bundles of all models that were looked at."""
        seen = self._records.last_seen()
        served = [record.versions.get(record.current or 0) for record in seen]
        return {one.manifest_sha256 for one in served if one is not None}


def _key(model: str, version: int, name: str) -> str:
    return f"{model}/versions/{version}/{name}"
