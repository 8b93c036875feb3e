"""The model store below the prefix of a bucket, read from copies on this machine."""

import threading
import time
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path

from shared.errors import BundleError, StorageError
from shared.store.manifest import MANIFEST, Manifest, parse_manifest
from shared.store.objects.bucket import CONDITION, Bucket
from shared.store.objects.cache import BundleCache
from shared.store.records.record import ModelRecord
from shared.store.records.records import ModelRecords
from shared.store.store import RETAINED_VERSIONS, ModelStore

MOST_MANIFESTS = 256
"""In memory."""
CHECK_SECONDS = 5.0


class ObjectModelStore(ModelStore):
    """Verifies whole bundles when they are fetched, and again when they are used.

    Every method raises StorageError where the storage cannot be used. Unlike in a folder, a
    damaged record is never mended.
    """

    def __init__(
        self,
        bucket: Bucket,
        cache: BundleCache,
        keep: int = RETAINED_VERSIONS,
        records: ModelRecords | None = None,
    ) -> None:
        self.address = bucket.address
        self._objects = self._bucket = bucket
        self._cache = cache
        self._keep = keep
        self._records = records or ModelRecords(bucket)
        self._remembered = lru_cache(MOST_MANIFESTS)(self._read_manifest)
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
            self._names()
        except StorageError as error:
            return error.message
        return self._away.reason if self._away else None

    def _identity(self) -> Hashable:
        """Return something new each time: a bucket that holds nothing does not tell why."""
        return object()

    def folder(self, model: str, version: int) -> Path:
        """Return a folder with a verified copy of a version's bundle; raises BundleError."""
        sha256 = self._published(model, version).manifest_sha256

        def fetch(folder: Path) -> None:
            data = self._manifest_data(model, version, sha256)
            names = parse_manifest(data, sha256, f"{MANIFEST} of {model}/{version}").files
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / MANIFEST).write_bytes(data)
            try:
                self._bucket.fetch({_key(model, version, name): folder / name for name in names})
            except FileNotFoundError as error:
                message = f"Version {version} of {model} lacks a file that its manifest lists."
                raise BundleError(message, "files") from error

        return self._cache.bundle(sha256, fetch, staying=self._served_bundles())

    def manifest(self, model: str, version: int) -> Manifest:
        """Read a version's manifest; raises BundleError."""
        return self._remembered(model, version, self._published(model, version).manifest_sha256)

    def written(self, model: str, version: int) -> Hashable:
        """Return what differs for each bundle of this number; None if there is none."""
        return self._records.look(model).versions.get(version)

    def _present(self, model: str, record: ModelRecord) -> ModelRecord:
        """Return the record as it is: to look for every version would take a request each."""
        return record

    def _mend(self, model: str) -> bool:
        """Nothing is mended."""
        return False

    def _manifest_data(self, model: str, version: int, sha256: str) -> bytes:
        """Return the manifest from the cache, else from the storage; raises BundleError."""
        data = self._cache.manifest(sha256)
        if data is not None:
            return data
        content = self._bucket.get(_key(model, version, MANIFEST))
        if content is None:
            raise BundleError(f"{MANIFEST} of {model}/{version} is missing.", "manifest")
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
