"""The loaded models: looks for new versions, tries each, and swaps it in only if it is sound."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from predictor import metrics
from predictor.engine import Engine
from predictor.settings import PredictorSettings
from shared.errors import ReadsmithError
from shared.manifest import (
    GOLDEN_READINGS,
    MANIFEST,
    BundleError,
    GoldenReading,
    verify_files,
)
from shared.model_store import ModelStore

log = logging.getLogger("readsmith.predictor")

RETRY_SECONDS = 30.0
"""A refused version is tried again after this long, or at once when its files change."""

CONFIDENCE_TOLERANCE = 1e-3

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
        self._states: dict[str, ModelState] = {}

    def start(self) -> None:
        """Load what is there, then go on looking in a thread; call it after the fork."""
        self.poll()
        threading.Thread(target=self._run, name="registry", daemon=True).start()

    def served(self, model: str) -> Served | None:
        """Return the version of this model that answers now."""
        return self._states.get(model, ModelState()).served

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
            served = Served(self._load(model, wanted), datetime.now(UTC), stamp)
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

    def _load(self, model: str, version: int) -> Engine:
        folder = self._store.folder(model, version)
        manifest = self._store.manifest(model, version)
        if (manifest.model, manifest.version) != (model, version):
            raise BundleError(
                f"{MANIFEST} is of {manifest.model}/{manifest.version}, not of {model}/{version}."
            )
        verify_files(folder, manifest.files)
        engine = Engine.load(folder, manifest, threads=self._threads)
        for golden in _golden_readings((folder / GOLDEN_READINGS).read_bytes()):
            if golden.file not in manifest.files:
                raise BundleError(
                    f"{GOLDEN_READINGS} names {golden.file}, which is not a file here."
                )
            _check_golden(engine, golden, (folder / golden.file).read_bytes())
        return engine


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


def _golden_readings(data: bytes) -> list[GoldenReading]:
    try:
        return TypeAdapter(list[GoldenReading]).validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BundleError(f"{GOLDEN_READINGS} is not valid: {first['msg']}.") from error


def _check_golden(engine: Engine, golden: GoldenReading, image: bytes) -> None:
    (reading,) = engine.read([image])
    if (
        reading.text != golden.text
        or abs(reading.confidence - golden.confidence) > CONFIDENCE_TOLERANCE
    ):
        raise BundleError(
            f"{golden.file} reads {reading.text!r} ({reading.confidence:.4f}) here, "
            f"the trainer read {golden.text!r} ({golden.confidence:.4f})."
        )
