"""The loaded models: looks for new versions, tries each, and swaps it in only if it is sound."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from predictor import metrics
from predictor.engine import Engine
from predictor.kept_versions import KeptVersions
from predictor.loading import load_version
from predictor.settings import PredictorSettings
from shared.errors import ReadsmithError
from shared.manifest import MANIFEST
from shared.model_store import ModelStore

log = logging.getLogger("readsmith.predictor")

RETRY_SECONDS = 30.0
"""A refused version is tried again after this long, or at once when its files change."""

Stamp = tuple[int, int | None, int | None]
"""Version, and when ``current`` and the version's manifest were written (ns)."""


@dataclass(frozen=True)
class Served:
    """A version that answers requests."""

    engine: Engine
    loaded_at: datetime
    stamp: Stamp


@dataclass(frozen=True)
class Refusal:
    """A version that was not taken, and why; version is None if ``current`` is unreadable."""

    version: int | None
    reason: str
    stamp: Stamp | None
    retry_at: float


@dataclass(frozen=True)
class ModelState:
    """All that one worker knows about one model; replaced as a whole, never changed."""

    served: Served | None = None
    wanted: int | None = None
    refusal: Refusal | None = None
    refusals: int = 0


class Registry:
    """Serves the current version of every model in the store; one per worker process.

    A new version replaces the old one in a single assignment, so requests that run keep theirs.
    """

    def __init__(self, settings: PredictorSettings) -> None:
        self._store = ModelStore(settings.store)
        self._default = settings.default_model
        self._threads = settings.inference_threads
        self._poll_seconds = settings.poll_seconds
        self._kept = KeptVersions(self._store, self._threads)
        self._states: dict[str, ModelState] = {}

    def start(self) -> None:
        """Load what is there, then go on looking in a thread; call it after the fork."""
        self.poll()
        threading.Thread(target=self._run, name="registry", daemon=True).start()

    def served(self, model: str) -> Served | None:
        """Return the version of this model that answers now."""
        return self._states.get(model, ModelState()).served

    def engine(self, model: str, version: int | None = None) -> Engine | None:
        """Return the engine of the version that answers now, or of a kept one by its number.

        None if the model has none. Raises RequestError (unknown_version) if the version is not
        kept, BundleError if it is broken.
        """
        served = self.served(model)
        if served is not None and version in (None, served.engine.manifest.version):
            return served.engine
        if version is None:
            return None
        return self._kept.engine(model, version) if model in self._states else None

    def states(self) -> Mapping[str, ModelState]:
        """Return what is known about every model, the default one first."""
        return self._states

    def poll(self) -> None:
        """Look once at every model of the store; never raises."""
        for model in self._models():
            state = self._states.get(model, ModelState())
            self._states = {**self._states, model: self._next(model, state)}

    def _run(self) -> None:
        while True:
            time.sleep(self._poll_seconds)
            try:
                self.poll()
            except Exception:
                log.exception("looking for new versions failed")

    def _models(self) -> list[str]:
        try:
            found = self._store.models()
        except OSError:
            found = []  # the default model's own look says what is wrong with the store
        return list(dict.fromkeys([self._default, *self._states, *found]))

    def _next(self, model: str, state: ModelState) -> ModelState:
        """Return the model's state after a look at the store."""
        wanted = stamp = None
        try:
            wanted = self._store.current(model)
            if wanted is None:
                return replace(state, wanted=None, refusal=None)
            stamp = self._stamp(model, wanted)
            if state.served is not None and state.served.stamp == stamp:
                return replace(state, wanted=wanted, refusal=None)
            if _waits(state.refusal, stamp):
                return state
            served = Served(
                load_version(self._store, model, wanted, threads=self._threads),
                datetime.now(UTC),
                stamp,
            )
        except Exception as error:  # whatever is wrong with a bundle, the old one goes on serving
            reason = str(error) if isinstance(error, ReadsmithError) else repr(error)
            return _refused(model, state, Refusal(wanted, reason, stamp, _retry_time()))
        log.info("model %s: version %d loaded", model, wanted)
        metrics.version_loaded(model, wanted)
        return replace(state, served=served, wanted=wanted, refusal=None)

    def _stamp(self, model: str, version: int) -> Stamp:
        paths = (
            self._store.root / model / "current",
            self._store.folder(model, version) / MANIFEST,
        )
        current, manifest = (path.stat().st_mtime_ns if path.exists() else None for path in paths)
        return version, current, manifest


def _waits(refusal: Refusal | None, stamp: Stamp) -> bool:
    return refusal is not None and refusal.stamp == stamp and time.monotonic() < refusal.retry_at


def _retry_time() -> float:
    return time.monotonic() + RETRY_SECONDS


def _refused(model: str, state: ModelState, refusal: Refusal) -> ModelState:
    """Keep what is served; log and count a refusal once, however often it is tried again."""
    known = state.refusal
    new = known is None or (known.version, known.reason) != (refusal.version, refusal.reason)
    if new:
        log.error("model %s: version %s refused: %s", model, refusal.version, refusal.reason)
        metrics.version_refused(model)
    return replace(
        state, wanted=refusal.version, refusal=refusal, refusals=state.refusals + int(new)
    )
