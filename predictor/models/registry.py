"""The loaded models: polls for new versions, tries each, and swaps it in only if it is valid."""

import logging
import threading
import time
from collections.abc import Hashable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from predictor.models.default_model import DEFAULT_MODEL, answering_model
from predictor.models.engine import Engine
from predictor.models.safe_loading import RETRY_SECONDS, SafeLoader
from predictor.models.version_cache import VersionCache
from predictor.requests.options import NO_OPTIONS
from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from shared.background import in_background
from shared.errors import (
    BundleError,
    ReadsmithError,
    StorageError,
    UnusableError,
)
from shared.store.builtin import STARTER, builtin_store
from shared.store.errors import Away
from shared.store.location import is_object_storage
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore

log = logging.getLogger("readsmith.predictor")

MAX_REASON = 500
"""Most characters of a reason that logs and /readyz show."""

START_SECONDS = 60.0
"""Longest time that a slow storage delays the start."""

FIRST_LOAD_SECONDS = 30.0
LOAD_SECONDS = 1.0
"""Longest time that versions that do not load delay the start, and a poll of the others."""

Stamp = tuple[int, Hashable]
"""Version, and the store's stamp, which changes with it, ``current`` or the model's settings."""


@dataclass(frozen=True)
class Served:
    """A version that answers requests."""

    engine: Engine
    loaded_at: datetime
    stamp: Stamp
    settings: ModelSettings
    """The limits of its predictions unless a request has its own."""


@dataclass(frozen=True)
class Rejection:
    """A version that was rejected, and why; version is None if ``current`` is unreadable."""

    version: int | None
    reason: str
    stamp: Stamp | None
    retry_at: float


@dataclass
class Loading:
    """A version that is being loaded in a thread of its own."""

    version: int
    stamp: Stamp
    result: Future[Served]
    reported: bool = False
    """Whether the log says that it takes long."""


@dataclass(frozen=True)
class ModelStatus:
    """The state of one model in one worker; immutable, so that readers need no lock."""

    served: Served | None = None
    wanted: int | None = None
    rejection: Rejection | None = None
    rejections: int = 0


class Registry:
    """The current version of every model in the store, and the starter; one per worker.

    A new version replaces the old one in a single assignment, so running requests finish with
    theirs.
    """

    def __init__(self, settings: PredictorSettings) -> None:
        self._store = _served_store(settings)
        self._builtin = builtin_store()
        self._chosen: str | None = None
        self._setting = settings.default_model
        self._starter = [STARTER] if settings.serve_starter else []
        self._poll_seconds = settings.poll_seconds
        self._loader = SafeLoader(settings.verdicts, threads=settings.inference_threads)
        self._version_cache = VersionCache(self._store_of, self._loader)
        self._states: dict[str, ModelStatus] = {}
        self._loads: dict[str, Loading] = {}

    def start(self) -> None:
        """Load the current versions, then poll in a thread; call it after the fork."""
        # The first poll, too, is the thread's: nothing delays the start beyond START_SECONDS.
        polled = threading.Event()
        threading.Thread(target=self._run, args=(polled,), name="registry", daemon=True).start()
        polled.wait(START_SECONDS)

    def served(self, model: str) -> Served | None:
        """Return the served version of this model, None if there is none."""
        return self._status(model).served

    def answering(self, model: str | None) -> str:
        """Return the model that answers a request for this one; None: the request names none.

        Raises ReadsmithError if the request names none and it is not certain which is meant.
        """
        if model is not None:
            return model
        return answering_model(self._present(), self._chosen, self._setting)

    @property
    def default(self) -> str | None:
        """The model that answers where none is named; None if none would."""
        try:
            name = self.answering(None)
        except ReadsmithError:
            return None
        return name if self.served(name) else None

    @property
    def untrained(self) -> bool:
        """Whether the starter is the only model."""
        return self._present() == [STARTER]

    def learning(self, model: str) -> str:
        """Return the model whose training a prediction of this one concerns.

        The starter is never trained: its predictions are the default model's.
        """
        if model != STARTER:
            return model
        own = self.default if self.default != STARTER else None
        return own or self._setting or DEFAULT_MODEL

    def _present(self) -> list[str]:
        """Return the models that are served, or should be."""
        states = self._states.items()
        return [name for name, state in states if state != ModelStatus() or name in self._loads]

    def settings(self, model: str) -> ModelSettings:
        """Return what a user has chosen for the model."""
        served = self.served(model)
        return served.settings if served else ModelSettings()

    @property
    def ready(self) -> bool:
        """Whether any requests can be answered: those without a model, or for a trained one."""
        served = (name for name, state in self._states.items() if state.served is not None)
        return any(name != STARTER for name in served) or self.default is not None

    def engine(self, model: str, version: int | None = None) -> Engine | None:
        """Return the engine of the served version, or of a retained one by its number.

        None if the model has none. Raises NotFoundError if the version is not retained,
        BundleError if it is invalid.
        """
        served = self.served(model)
        if served is not None and version in (None, served.engine.manifest.version):
            return served.engine
        if version is None:
            return None
        return self._version_cache.engine(model, version) if model in self._states else None

    def states(self) -> Mapping[str, ModelStatus]:
        """Return the state of every model, the default one first."""
        return self._states

    def poll(self, patience: float = START_SECONDS) -> None:
        """Check every model of the store once for a new version; never raises.

        patience: seconds to wait for versions that are being loaded. A later poll takes up those
        that need longer.
        """
        self._look_for_default()
        for model in self._models():
            self._change(model, self._looked(model, self._status(model)))
        wait([load.result for load in self._loads.values()], patience)
        for model, load in list(self._loads.items()):
            if load.result.done():
                del self._loads[model]
                self._change(model, self._loaded(model, self._status(model), load))
            elif not load.reported:
                load.reported = True
                log.warning("model %s: version %d takes long to load", model, load.version)

    def _status(self, model: str) -> ModelStatus:
        return self._states.get(model, ModelStatus())

    def _change(self, model: str, status: ModelStatus) -> None:
        self._states = {**self._states, model: status}

    @property
    def away(self) -> Away | None:
        """Since when and why the storage of the models cannot be used; None if it can."""
        return self._store.away

    def _run(self, polled: threading.Event) -> None:
        while True:
            try:
                self.poll(LOAD_SECONDS if polled.is_set() else FIRST_LOAD_SECONDS)
            except Exception:  # a bug; the thread must live, or no new version would be served
                log.exception("polling for new versions failed")
            polled.set()
            # Not inotify: shared volumes do not deliver its events.
            time.sleep(self._poll_seconds)

    def _look_for_default(self) -> None:
        try:
            self._chosen = self._store.default()
        except (OSError, StorageError) as error:  # what was chosen before holds
            log.debug("the default model cannot be looked up: %s", error)

    def _models(self) -> list[str]:
        try:
            found = self._store.models()
        except OSError:
            found = []  # polling the default model reports what is wrong with the store
        default = self._setting or DEFAULT_MODEL
        return list(dict.fromkeys([default, *self._states, *found, *self._starter]))

    def _store_of(self, model: str) -> ModelStore:
        return self._builtin if model == STARTER else self._store

    def _looked(self, model: str, state: ModelStatus) -> ModelStatus:
        """Return the model's state after a look at the store; starts to load a new version."""
        wanted = stamp = None
        try:
            store = self._store_of(model)
            wanted = store.current(model)
            stamp = None if wanted is None else (wanted, store.stamp(model, wanted))
            if model in self._loads and self._loads[model].stamp != stamp:
                del self._loads[model]  # its result is of no use any more
            if wanted is None and store.deleted(model):
                return ModelStatus()  # unlike a folder that is gone, in which nothing says so
            if wanted is None or stamp is None:
                return replace(state, wanted=None, rejection=None)
            if state.served is not None and state.served.stamp == stamp:
                return replace(state, wanted=wanted, rejection=None)
            if model not in self._loads and not _waits(state.rejection, stamp):
                # In a thread: a large version, or one that does harm, holds up no other model.
                load = partial(self._load, store, model, wanted, stamp)
                self._loads[model] = Loading(wanted, stamp, in_background(load))
        except Exception as error:  # whatever is wrong with a bundle, the old version is served
            return _rejected(model, state, wanted, error, stamp)
        return state

    def _loaded(self, model: str, state: ModelStatus, load: Loading) -> ModelStatus:
        """Return the model's state after a version has been loaded, or could not be."""
        error = load.result.exception()
        if error is not None:
            return _rejected(model, state, load.version, error, load.stamp)
        log.info("model %s: version %d loaded", model, load.version)
        metrics.version_loaded(model, load.version)
        return replace(state, served=load.result.result(), wanted=load.version, rejection=None)

    def _load(self, store: ModelStore, model: str, version: int, stamp: Stamp) -> Served:
        engine = self._loader.load(store, model, version)
        settings = store.settings(model)
        try:
            NO_OPTIONS.with_settings(settings, engine.require_possible)
        except UnusableError as error:
            message = f"The model's own limits are impossible: {error.message}"
            raise BundleError(message, "settings") from error
        return Served(engine, datetime.now(UTC), stamp, settings)


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
    model: str, state: ModelStatus, wanted: int | None, error: BaseException, stamp: Stamp | None
) -> ModelStatus:
    """Return the state with the old version and a rejection, which is logged and counted once."""
    part = error.part if isinstance(error, BundleError) else "other"
    reason = (str(error) if isinstance(error, ReadsmithError) else repr(error))[:MAX_REASON]
    known = state.rejection
    new = known is None or (known.version, known.reason) != (wanted, reason)
    if new:
        log.error("model %s: version %s rejected: %s", model, wanted, reason)
        metrics.version_rejected(model, part)
    # A storage that failed may answer at the next poll; a broken bundle stays broken.
    wait = 0.0 if isinstance(error, StorageError) else RETRY_SECONDS
    rejection = Rejection(wanted, reason, stamp, time.monotonic() + wait)
    return replace(
        state, wanted=wanted, rejection=rejection, rejections=state.rejections + int(new)
    )
