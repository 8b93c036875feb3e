"""Loads versions whose graph has done no harm in a process of its own, once on each machine."""

import hashlib
import threading
import time
from pathlib import Path

import onnxruntime

from predictor.models.engine import Engine
from predictor.models.loading import load_bundle, verified
from predictor.models.probe import ProbeDiedError, probe
from predictor.models.verdicts import HeldVerdict, Verdict, Verdicts
from shared.errors import BundleError
from shared.store.builtin import STARTERS
from shared.store.manifest import ONNX_MODEL, Manifest
from shared.store.store import ModelStore

RETRY_SECONDS = 30.0
"""Pause before a rejected version is tried again; it is tried at once when its files change."""
MOST_DEATHS = 2
"""The first may be chance: memory that something else took."""
MOST_PROBES = 2
"""At a time, in one process."""


class SafeLoader:
    """Loads versions; thread-safe.

    verdicts: the folder, shared by the processes of a machine, where the outcome of each probe is
    stored; None: only in memory.
    """

    def __init__(self, verdicts: Path | None, *, threads: int = 1) -> None:
        self._verdicts = Verdicts(verdicts)
        self._threads = threads
        self._probing = threading.BoundedSemaphore(MOST_PROBES)

    def load(self, store: ModelStore, model: str, version: int) -> Engine:
        """Verify a version, try it in a process of its own if that is due, and load it.

        Raises BundleError, also if processes died of it MOST_DEATHS times.
        """
        folder, manifest = verified(store, model, version)
        if model in STARTERS.values():  # comes with the package
            return load_bundle(folder, manifest, threads=self._threads)
        with self._verdicts.held(_key(manifest)) as held:
            _require_due(held.verdict)
            if not held.verdict.harmless:
                self._probe(held, folder, manifest)
            return self._load(held, folder, manifest)

    def _probe(self, held: HeldVerdict, folder: Path, manifest: Manifest) -> None:
        """Note whether the version is harmless; raises BundleError if it cannot be loaded."""
        now = time.time()
        try:
            with self._probing:
                probe(folder, manifest, threads=self._threads)
        except BundleError as error:
            deaths = held.verdict.deaths + isinstance(error, ProbeDiedError)
            told = Verdict(deaths=deaths, reason=error.message, part=error.part, tried_at=now)
            held.replace(told)
            raise
        held.replace(Verdict(harmless=True))

    def _load(self, held: HeldVerdict, folder: Path, manifest: Manifest) -> Engine:
        # Also here a process may die, for example because memory is short: it leaves this note.
        reason = f"A predictor process died while it loaded {ONNX_MODEL}."
        deaths = held.verdict.deaths + 1
        held.replace(Verdict(harmless=True, deaths=deaths, reason=reason))
        try:
            return load_bundle(folder, manifest, threads=self._threads)
        finally:
            held.replace(Verdict(harmless=True))


def _require_due(verdict: Verdict) -> None:
    """Raise BundleError for a version that was rejected just now, or for good."""
    if verdict.deaths >= MOST_DEATHS:
        raise BundleError(
            f"{verdict.reason} This happened {verdict.deaths} times: "
            "it is not tried again until its files change.",
            verdict.part,
        )
    # Another process of this machine, or another request, has tried it: this one need not.
    if not verdict.harmless and 0 <= time.time() - verdict.tried_at < RETRY_SECONDS:
        raise BundleError(verdict.reason, verdict.part)


def _key(manifest: Manifest) -> str:
    """Hash what is run and by what: the graph, all that a probe of it goes by, ONNX Runtime."""
    hashes = {
        name: entry.sha256
        for name, entry in sorted(manifest.files.items())
        if name == ONNX_MODEL or name.startswith("golden/")
    }
    goes_by = {"format", "origin", "image", "vocabulary", "time_steps", "calibration"}
    read_as = manifest.model_dump_json(include=goes_by)
    return hashlib.sha256(f"{onnxruntime.__version__} {hashes} {read_as}".encode()).hexdigest()
