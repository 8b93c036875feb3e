"""Finds a published version in a store and loads it as the predictor does."""

from pathlib import Path

from predictor.engine import Engine
from shared.builtin import STARTER, builtin_store
from shared.errors import ReadsmithError
from shared.manifest import Manifest
from shared.model_store import ModelStore


def load_engine(store: Path, model: str, version: int | None) -> tuple[Engine, Manifest]:
    """Load a version, the current one unless said; the starter comes with Readsmith.

    Raises ReadsmithError: no_model, no_version, bundle_invalid.
    """
    models = builtin_store() if model == STARTER else ModelStore(store)
    chosen = version or models.current(model)
    if chosen is None:
        known = ", ".join(models.models()) or "none"
        raise ReadsmithError(
            "no_model",
            f"There is no model named {model} in {store} (there: {known}).",
            f"Train one: readsmith train DATASET --model {model} --store {store}",
        )
    if chosen not in models.versions(model):
        known = ", ".join(map(str, models.versions(model))) or "none"
        raise ReadsmithError(
            "no_version", f"There is no version {chosen} of {model} in {store} (there: {known})."
        )
    manifest = models.manifest(model, chosen)
    return Engine.load(models.folder(model, chosen), manifest), manifest
