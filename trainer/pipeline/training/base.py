"""Loads the weights that training starts from: an earlier version's, or the starter's."""

from typing import Any

import numpy as np

from shared.errors import BaseVersionError, BundleError
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import KERAS_MODEL, REHEARSAL, SEEN_IMAGES, Manifest, verify_files
from shared.store.store import ModelStore
from trainer.pipeline.datasets.dataset import Base
from trainer.pipeline.datasets.seen_images import read_seen_images
from trainer.pipeline.networks.keras_files import load_keras
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.rehearsal import read_rehearsal
from trainer.schemas.job_request import JobRequest, PresetName


def load_base(request: JobRequest, store: ModelStore) -> Base | None:
    """Load the request's base version; None without one.

    Raises ReadsmithError (base_not_found, base_preset_differs, base_image_differs) or BundleError.
    """
    if not isinstance(request.base, int):
        return None
    _require_version(request.base, request.model, store)
    try:
        _require_compatible(store.manifest(request.model, request.base), request)
        return _read(store, request.model, request.base, f"{request.model}/{request.base}")
    except BundleError:
        _require_version(
            request.base, request.model, store
        )  # retention may have deleted it meanwhile
        raise


def load_starter(preset: PresetName) -> Base | None:
    """Load the preset's starter, whose layers fit any height and width; None if it has none."""
    store, name = builtin_store(), STARTERS.get(preset)
    versions = store.versions(name) if name else []
    return _read(store, name, versions[-1], name) if name and versions else None


def _read(store: ModelStore, model: str, version: int, name: str) -> Base:
    manifest, folder = store.manifest(model, version), store.folder(model, version)
    needed = {KERAS_MODEL, SEEN_IMAGES, REHEARSAL} & set(manifest.files)
    # A truncated h5 fails to load, but one flipped bit loads silently.
    verify_files(folder, {name: manifest.files[name] for name in needed})
    return Base(
        name=name,
        image=manifest.image,
        vocabulary=manifest.model_vocabulary(),
        weights=weights_of(load_keras(folder / KERAS_MODEL)),
        seen=read_seen_images(folder),
        rehearsal=read_rehearsal(folder),
        preset=next((each for each in PRESETS if each == manifest.preset), None),
    )


def _require_version(version: int, model: str, store: ModelStore) -> None:
    if version not in (versions := store.versions(model)):
        raise BaseVersionError(
            "base_not_found",
            f"Model {model} has no version {version} to start from.",
            f"Its versions: {', '.join(map(str, versions)) or 'none'}.",
        )


def _require_compatible(manifest: Manifest, request: JobRequest) -> None:
    if manifest.preset not in ([*PRESETS] if request.preset == "auto" else [request.preset]):
        raise BaseVersionError(
            "base_preset_differs",
            f"Version {request.base} has the preset {manifest.preset}, not {request.preset}.",
            "Request the same preset, or no base.",
        )
    for name in ("height", "width", "rows", "resize", "direction", "channels", "standardize"):
        requested, has = getattr(request.hyperparameters, name), getattr(manifest.image, name)
        if requested not in ("auto", has):
            raise BaseVersionError(
                "base_image_differs",
                f"Version {request.base} takes images of {name} {has}, not {requested}.",
                f'Leave {name} at "auto", or request no base.',
            )


def weights_of(model: Any) -> dict[str, list[Any]]:
    """Return a model's weights by layer."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


def copy_weights(base: Base, model: Any, vocabulary: Vocabulary) -> None:
    """Copy a base's weights: hidden layers whole, the output layer character by character.

    Characters that the base lacks retain their fresh weights. A base for gray images also fits
    colour, and one of any height.
    """
    known, weights = base.vocabulary, base.weights
    layers = {layer.name: layer for layer in model.layers}
    *hidden, output = weights
    for name in hidden:
        fresh = layers[name].get_weights()
        layers[name].set_weights(
            [fitted(old, new.shape) for old, new in zip(weights[name], fresh, strict=True)]
        )
    columns = {
        known.encode(character)[0]: vocabulary.encode(character)[0]
        for character in known.characters
        if character in vocabulary.characters
    } | {known.blank_index: vocabulary.blank_index}
    fresh = layers[output].get_weights()
    for old, new in zip(weights[output], fresh, strict=True):
        new[..., list(columns.values())] = old[..., list(columns)]
    layers[output].set_weights(fresh)


def fitted(weights: Any, shape: tuple[int, ...]) -> Any:
    """Bring a kernel (H, W, channels, filters) to the shape of another image spec.

    Over more channels it is spread, so that their mean is the gray. Over more or fewer rows, as
    where a network folds the height, it is stretched, so that its sum is the same.
    """
    if weights.shape == shape:
        return weights
    if weights.shape[2] != shape[2]:
        weights = np.repeat(weights, shape[2], axis=2) / shape[2]
    rows, wanted = weights.shape[0], shape[0]
    edges = np.linspace(0, rows, wanted + 1)
    total = np.concatenate([np.zeros_like(weights[:1]), np.cumsum(weights, axis=0)])
    at = [_between(total, edge) for edge in edges]
    return np.diff(at, axis=0)


def _between(total: Any, edge: float) -> Any:
    """Return the running sum of rows up to an edge between two of them."""
    below = min(int(edge), len(total) - 2)
    return total[below] + (edge - below) * (total[below + 1] - total[below])
