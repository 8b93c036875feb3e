"""The loaded models: looks for new versions, tries each, and swaps it in only if it is sound."""

import logging
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from predictor.models.engine import Engine
from predictor.models.loading import load_version
from predictor.models.version_cache import VersionCache
from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from shared.errors import BundleError, LimitsError, ReadsmithError, StorageError
from shared.patterns.limits import Limits
from shared.store.builtin import STARTER, builtin_store
from shared.store.errors import Away
from shared.store.location import is_object_storage
from shared.store.store import ModelStore

log = logging.getLogger("readsmith.predictor")

RETRY_SECONDS = 30.0
"""A refused version is tried again after this long, or at once when its files change."""

MOST_REASON = 500
"""Characters of a reason that are told."""

START_SECONDS = 60.0
"""A storage that is slow holds up the start for so long at most."""

Stamp = tuple[int, Hashable]
"""Version, and what the store says of when it, ``current`` and the model's settings changed."""


@dataclass(frozen=True)
class Served:
    """A version that answers requests."""

    engine: Engine
    loaded_at: datetime
    stamp: Stamp
    pattern: str | None
    """What its predictions must fit unless a request says otherwise."""


@dataclass(frozen=True)
class Rejection:
    """A version that was not taken, and why; version is None if ``current`` is unreadable."""

    version: int | None
    reason: str
    stamp: Stamp | None
    retry_at: float


@dataclass(frozen=True)
class ModelStatus:
    """All that one worker knows about one model; replaced as a whole, never changed."""

    served: Served | None = None
    wanted: int | None = None
    rejection: Rejection | None = None
    rejections: int = 0


class Registry:
    """Serves the current version of every model in the store, and the starter; one per worker.

    A new version replaces the old one in a single assignment, so requests that run keep theirs.
    """

    def __init__(self, settings: PredictorSettings) -> None:
        self._remote = is_object_storage(settings.store)
        self._store = _served_store(settings)
        self._builtin = builtin_store()
        self._default = settings.default_model
        self._starter = [STARTER] if settings.serve_starter else []
        self._threads = settings.inference_threads
        self._poll_seconds = settings.poll_seconds
        self._kept = VersionCache(self._store_of, self._threads)
        self._states: dict[str, ModelStatus] = {}

    def start(self) -> None:
        """Load what is there, then go on looking in a thread; call it after the fork."""
        looked = threading.Event()
        threading.Thread(target=self._run, args=(looked,), name="registry", daemon=True).start()
        looked.wait(START_SECONDS if self._remote else None)

    def served(self, model: str) -> Served | None:
        """Return the version of this model that answers now."""
        return self._states.get(model, ModelStatus()).served

    def answering(self, model: str | None) -> str:
        """Return the model that answers a request for this one, or for none by name.

        That is the starter while no version of the default model has ever been seen.
        """
        if model is not None:
            return model
        fresh = self._states.get(self._default, ModelStatus()) == ModelStatus()
        return STARTER if fresh and self.served(STARTER) else self._default

    def pattern(self, model: str) -> str | None:
        """Return the model's own pattern, if it has one."""
        served = self.served(model)
        return served.pattern if served else None

    @property
    def ready(self) -> bool:
        """Whether requests that name no model are answered, or those for a trained one."""
        served = [name for name, state in self._states.items() if state.served is not None]
        return self.answering(None) in served or bool(set(served) - {STARTER})

    def engine(self, model: str, version: int | None = None) -> Engine | None:
        """Return the engine of the version that answers now, or of a kept one by its number.

        None if the model has none. Raises NotFoundError if the version is not kept,
        BundleError if it is broken.
        """
        served = self.served(model)
        if served is not None and version in (None, served.engine.manifest.version):
            return served.engine
        if version is None:
            return None
        return self._kept.engine(model, version) if model in self._states else None

    def states(self) -> Mapping[str, ModelStatus]:
        """Return what is known about every model, the default one first."""
        return self._states

    def poll(self) -> None:
        """Look once at every model of the store; never raises."""
        for model in self._models():
            state = self._states.get(model, ModelStatus())
            self._states = {**self._states, model: self._next(model, state)}

    @property
    def away(self) -> Away | None:
        """Since when and why the storage of the models cannot be used; None if it can."""
        return self._store.away

    def _run(self, looked: threading.Event) -> None:
        while True:
            try:
                self.poll()
            except Exception:
                log.exception("looking for new versions failed")
            looked.set()
            time.sleep(self._poll_seconds)

    def _models(self) -> list[str]:
        try:
            found = self._store.models()
        except OSError:
            found = []  # the default model's own look says what is wrong with the store
        return list(dict.fromkeys([self._default, *self._states, *found, *self._starter]))

    def _store_of(self, model: str) -> ModelStore:
        return self._builtin if model == STARTER else self._store

    def _next(self, model: str, state: ModelStatus) -> ModelStatus:
        """Return the model's state after a look at the store."""
        wanted = stamp = None
        try:
            store = self._store_of(model)
            wanted = store.current(model)
            if wanted is None:
                return replace(state, wanted=None, rejection=None)
            stamp = wanted, store.stamp(model, wanted)
            if state.served is not None and state.served.stamp == stamp:
                return replace(state, wanted=wanted, rejection=None)
            if _waits(state.rejection, stamp):
                return state
            served = self._load(store, model, wanted, stamp)
        except Exception as error:  # whatever is wrong with a bundle, the old one goes on serving
            return _rejected(model, state, wanted, error, stamp)
        log.info("model %s: version %d loaded", model, wanted)
        metrics.version_loaded(model, wanted)
        return replace(state, served=served, wanted=wanted, rejection=None)

    def _load(self, store: ModelStore, model: str, version: int, stamp: Stamp) -> Served:
        engine = load_version(store, model, version, threads=self._threads)
        pattern = store.settings(model).pattern
        if pattern is not None:
            try:
                engine.require_possible(Limits(pattern))
            except LimitsError as error:
                message = f"The model's own pattern {pattern} does not suit it: {error.message}"
                raise BundleError(message, "settings") from error
        return Served(engine, datetime.now(UTC), stamp, pattern)


def _served_store(settings: PredictorSettings) -> ModelStore:
    if not is_object_storage(settings.store):
        return settings.model_store()
    from predictor.models.object_storage import followed_models  # noqa: PLC0415 - only for s3://

    return followed_models(settings)


def _waits(rejection: Rejection | None, stamp: Stamp) -> bool:
    return (
        rejection is not None and rejection.stamp == stamp and time.monotonic() < rejection.retry_at
    )


def _rejected(
    model: str, state: ModelStatus, wanted: int | None, error: Exception, stamp: Stamp | None
) -> ModelStatus:
    """Keep what is served; log and count a rejection once, however often it is tried again."""
    part = error.part if isinstance(error, BundleError) else "other"
    reason = (str(error) if isinstance(error, ReadsmithError) else repr(error))[:MOST_REASON]
    known = state.rejection
    new = known is None or (known.version, known.reason) != (wanted, reason)
    if new:
        log.error("model %s: version %s refused: %s", model, wanted, reason)
        metrics.version_refused(model, part)
    wait = 0.0 if isinstance(error, StorageError) else RETRY_SECONDS
    rejection = Rejection(wanted, reason, stamp, time.monotonic() + wait)
    return replace(
        state, wanted=wanted, rejection=rejection, rejections=state.rejections + int(new)
    )
