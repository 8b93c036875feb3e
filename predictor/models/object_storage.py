"""The predictor's view of a model store on an object storage, which may be slow or away.

Only the thread that looks for new versions asks the storage what is current; everything else goes
by what was seen last, which is also cached on disk, for a start while the storage is away.
"""

import hashlib
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from shared.atomic_files import read_small, write_atomically
from shared.errors import BundleError, StorageError
from shared.store.errors import Away
from shared.store.manifest import MOST_BYTES
from shared.store.object_store import ObjectModelStore
from shared.store.objects.bucket import Bucket
from shared.store.objects.cache import BundleCache
from shared.store.objects.interface import Content
from shared.store.records.record import ModelRecord
from shared.store.records.records import DEFAULT, Known, ModelRecords, parse_record

LIST_SECONDS = 10.0
"""Between two looks for new models: a list costs ten times what a look at a model costs."""
AWAY_SECONDS = 5.0
"""Between two tries while the storage is away: each may take long."""

log = logging.getLogger("readsmith.predictor")


class FollowedRecords(ModelRecords):
    """The records as they were last seen; `follow` looks again."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        super().__init__(bucket)
        self._folder = folder / hashlib.sha256(bucket.address.encode()).hexdigest()[:16]
        self._address = bucket.address
        self._listed_at = -LIST_SECONDS
        self._tried_at = -AWAY_SECONDS
        self.away: Away | None = None
        self._chosen = self._cached_default()

    def models(self) -> list[str]:
        """Return the models that are known, after a look now and then."""
        if time.monotonic() - self._listed_at >= LIST_SECONDS and self._may_try():
            try:
                found = super().models()
            except StorageError as error:
                self._failed(error)
            else:
                self._listed_at = time.monotonic()
                self._answered()
                for model in found:
                    if not self.look(model).versions:  # it is new, or may have been restored
                        self.follow(model)
        cached = [path.name.removesuffix(".json") for path in self._folder.glob("*.json")]
        return sorted({*self._known, *cached})

    def follow(self, model: str) -> None:
        """Look at a model's record again, and cache it on disk.

        Raises StorageError where the storage is away and nothing has been seen of the model,
        BundleError if the record is damaged.
        """
        if self._may_try():
            before = self._known.get(model) or self._cached(model)
            if before is not None:
                self._known[model] = before
            try:
                known = self._look(model)
                self._answered()
            except StorageError as error:
                self._failed(error)
            else:
                if known != before:
                    self._cache_record(model, known)
        if self.look(model) == ModelRecord() and self.away is not None:
            raise StorageError(self.away.reason, "Try again soon.")

    def default(self) -> str | None:
        """Return the default model as far as the storage can be asked, else as it was last seen."""
        if self._may_try():
            try:
                chosen = super().default()
                self._answered()
            except StorageError as error:
                self._failed(error)
            else:
                self._note_default(chosen)
        return self._chosen

    def look(self, model: str) -> ModelRecord:
        """Return a model's record as it was last seen, also before this process began."""
        known = self._known.get(model) or self._cached(model) or Known()
        return known.record

    def _may_try(self) -> bool:
        return self.away is None or time.monotonic() - self._tried_at >= AWAY_SECONDS

    def _answered(self) -> None:
        if self.away is not None:
            log.info("%s answers again", self._address)
        self.away = None
        metrics.storage_seen(self._address, reachable=True)

    def _failed(self, error: StorageError) -> None:
        if self.away is None:
            log.warning(
                "%s Versions that are loaded or cached here continue to serve.", error.message
            )
        since = self.away.since if self.away else datetime.now(UTC)
        self.away = Away(since, error.message)
        self._tried_at = time.monotonic()
        metrics.storage_seen(self._address, reachable=False)

    def _cache_record(self, model: str, known: Known) -> None:
        path = self._folder / f"{model}.json"
        with suppress(OSError):  # it only helps a start while the storage is away
            if known.content is None:
                path.unlink(missing_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, known.content.etag.encode() + b"\n" + known.content.data)

    def _note_default(self, chosen: str | None) -> None:
        if chosen == self._chosen:
            return
        self._chosen = chosen
        with suppress(OSError):  # it only helps a start while the storage is away
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / DEFAULT, (chosen or "").encode())

    def _cached_default(self) -> str | None:
        try:
            return read_small(self._folder / DEFAULT, MOST_BYTES).decode() or None
        except (OSError, UnicodeDecodeError):
            return None

    def _cached(self, model: str) -> Known | None:
        try:
            etag, _, data = read_small(self._folder / f"{model}.json", MOST_BYTES).partition(b"\n")
            return Known(parse_record(model, data), Content(data, etag.decode()))
        except (OSError, BundleError, UnicodeDecodeError):
            return None


class FollowedModels(ObjectModelStore):
    """An object store whose `current` and `models` look at the storage, and nothing else does.

    Files come from the cache, or from the storage where they are not there.
    """

    def __init__(self, bucket: Bucket, cache: BundleCache, records: FollowedRecords) -> None:
        super().__init__(bucket, cache, records=records)
        self._followed = records

    @property
    def away(self) -> Away | None:
        """Since when and why the storage cannot be used; None if it answers."""
        return self._followed.away

    def current(self, model: str) -> int | None:
        """Return the number of the served version, as far as the storage can be asked."""
        self._followed.follow(model)
        return super().current(model)


def followed_models(settings: PredictorSettings) -> FollowedModels:
    """Return the store on an object storage that the settings name."""
    bucket = Bucket(settings.store)
    records = FollowedRecords(bucket, settings.store_cache / "records")
    return FollowedModels(bucket, settings.bundle_cache, records)
