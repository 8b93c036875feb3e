"""Versions that requests name by number: loaded when asked for, a few kept loaded."""

import threading
from collections import OrderedDict

from predictor.engine import Engine
from predictor.loading import load_version
from predictor.problems import RequestError
from shared.manifest import MANIFEST
from shared.model_store import ModelStore

MOST_LOADED = 2
"""Versions kept loaded besides the current ones; each takes a few megabytes."""


class KeptVersions:
    """Loads versions as carefully as current ones; the least lately used one is dropped."""

    def __init__(self, store: ModelStore, threads: int) -> None:
        self._store = store
        self._threads = threads
        self._loaded: OrderedDict[tuple[str, int], tuple[Engine, int]] = OrderedDict()
        self._lock = threading.Lock()

    def engine(self, model: str, version: int) -> Engine:
        """Return a version of a model of the store, loaded.

        Raises RequestError (unknown_version) if it is not kept, BundleError if it is broken.
        """
        with self._lock:
            written = self._written(model, version)
            engine, loaded = self._loaded.pop((model, version), (None, 0))
            if engine is None or loaded != written:
                engine = load_version(self._store, model, version, threads=self._threads)
            self._loaded[model, version] = engine, written
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
            return engine

    def _written(self, model: str, version: int) -> int:
        """Return when the version's manifest was written; without a manifest there is none."""
        try:
            return (self._store.folder(model, version) / MANIFEST).stat().st_mtime_ns
        except OSError:
            pass
        kept = ", ".join(map(str, self._store.versions(model))) or "none"
        raise RequestError(
            "unknown_version",
            f"Model {model!r} has no version {version}.",
            f"Kept: {kept}.",
            "version",
        )
