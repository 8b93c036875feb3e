"""A published version, found in a store, loaded and asked as the predictor does it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor.api.answers import describe, describe_combined
from predictor.models.default_model import answering_model
from predictor.models.engine import Engine
from predictor.models.safe_loading import SafeLoader
from predictor.requests.options import PredictionOptions
from readsmith.stores import open_store
from shared.errors import BundleError, ImageRejectedError, NotFoundError, UnavailableError
from shared.store.builtin import STARTER, STARTERS, builtin_store
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore


@dataclass(frozen=True)
class Published:
    """A loaded version, and the limits of its predictions unless others are given."""

    engine: Engine
    settings: ModelSettings

    def read(
        self, images: Sequence[bytes], options: PredictionOptions
    ) -> Iterator[dict[str, Any] | ImageRejectedError]:
        """Read images; each gives what the predictor would answer, or why it has no prediction.

        Raises UnusableError for limits that no text of the model fits.
        """
        engine = self._engine(options)
        results = (
            engine.search_each(images, options.limits, options.top_k or 1, fold=options.fold_case)
            if options.search
            else engine.predict_each(images)
        )
        for result in results:
            if isinstance(result, ImageRejectedError):
                yield result
            else:
                yield describe(result, options, self.engine.manifest.metrics)

    def combine(self, images: Sequence[bytes], options: PredictionOptions) -> dict[str, Any]:
        """Read several shots of one thing; returns what the predictor would answer.

        Raises the first error if no image can be read, and UnusableError for limits that no text
        of the model fits.
        """
        together, shots = self._engine(options).combine(
            images, options.limits, options.top_k or 1, fold=options.fold_case
        )
        return describe_combined(together, shots, options, self.engine.manifest.metrics)

    def _engine(self, options: PredictionOptions) -> Engine:
        return self.engine.for_lines() if options.crop == "off" else self.engine


def bundle_of(store: str, model: str, version: int) -> Path:
    """Return the folder of a version that was loaded."""
    return store_of(store, model).folder(model, version)


def store_of(store: str, model: str) -> ModelStore:
    """Return the store that holds a model: the named one, or that of the package."""
    return builtin_store() if model in STARTERS.values() else open_store(store)


def default_model(store: str) -> str:
    """Return the model that the predictor would have answer where none is named.

    Raises ReadsmithError if it is not certain which is meant.
    """
    models = open_store(store)
    served = [model for model in models.models() if _is_served(models, model)]
    setting = os.environ.get("READSMITH_DEFAULT_MODEL") or None
    return answering_model([*served, STARTER], models.default(), setting)


def _is_served(models: ModelStore, model: str) -> bool:
    try:
        return models.current(model) is not None
    except BundleError:
        return True  # no other may answer in its place


def load(store: str, model: str, version: int | None) -> Published:
    """Load a version, the current one unless said; the starter comes with Readsmith.

    Raises NotFoundError, UnavailableError if no version is promoted, or BundleError.
    """
    models = store_of(store, model)
    chosen, versions = version or models.current(model), models.versions(model)
    if chosen is None and versions:
        known = ", ".join(map(str, versions))
        raise UnavailableError(
            "no_version_served",
            f"No version of {model} in {store} is promoted (there: {known}).",
            f"Name one with --version, or promote one: readsmith models promote {model} "
            f"{versions[-1]} --store {store}",
        )
    if chosen is None:
        known = ", ".join(models.models()) or "none"
        raise NotFoundError(
            "model_not_found",
            f"There is no model named {model} in {store} (there: {known}).",
            f"Name one of these, or starter, with --model; or train one: readsmith train DATASET "
            f"--model {model} --store {store}",
        )
    if chosen not in versions:
        known = ", ".join(map(str, versions)) or "none"
        raise NotFoundError(
            "version_not_found",
            f"There is no version {chosen} of {model} in {store} (there: {known}).",
            f"readsmith models list --store {store} lists all.",
        )
    engine = SafeLoader(None).load(models, model, chosen)
    return Published(engine, models.settings(model))
