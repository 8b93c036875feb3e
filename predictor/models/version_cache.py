"""Versions that requests name by number: loaded when asked for, a few of them stay loaded."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from predictor.models.engine import Engine
from predictor.models.safe_loading import SafeLoader
from shared.errors import UnavailableError
from shared.store.store import ModelStore, version_not_found

MOST_LOADED = 2
"""Versions that stay loaded besides the current ones; each takes a few megabytes."""

WAIT_SECONDS = 3.0
"""Longest time that a request waits for another to load a version: it occupies a thread."""


class VersionCache:
    """Loads versions as carefully as current ones; the least lately used one is dropped."""

    def __init__(self, store_of: Callable[[str], ModelStore], loader: SafeLoader) -> None:
        self._store_of = store_of
        self._loader = loader
        self._loaded: OrderedDict[tuple[str, int], tuple[Engine, Hashable]] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()  # not the same: loading may wait for the storage

    def engine(self, model: str, version: int) -> Engine:
        """Return a version of a model, loaded.

        Raises NotFoundError if it is not retained, BundleError if it is broken, UnavailableError
        while another is being loaded.
        """
        written = self._written(model, version)
        engine = self._in_memory(model, version, written)
        if engine is not None:
            return engine
        if not self._loading.acquire(timeout=WAIT_SECONDS):
            raise UnavailableError(
                "version_loading",
                "Versions that requests name are loaded one at a time, and another is being "
                f"loaded: version {version} of {model} has to wait.",
                "Try again after the seconds in Retry-After.",
                headers={"Retry-After": "5"},
            )
        try:
            engine = self._in_memory(model, version, written)
            if engine is None:
                engine = self._loader.load(self._store_of(model), model, version)
            with self._lock:
                self._loaded[model, version] = engine, written
                if len(self._loaded) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            return engine
        finally:
            self._loading.release()

    def _in_memory(self, model: str, version: int, written: Hashable) -> Engine | None:
        with self._lock:
            engine, loaded = self._loaded.get((model, version), (None, None))
            if engine is None or loaded != written:
                return None
            self._loaded.move_to_end((model, version))
            return engine

    def _written(self, model: str, version: int) -> Hashable:
        """Return what differs for each bundle of this number; raises NotFoundError."""
        store = self._store_of(model)
        written = store.written(model, version)
        if written is None:
            raise version_not_found(model, version, store.versions(model), "version")
        return written
