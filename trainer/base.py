"""The earlier version that a training run starts from. Importing this imports TensorFlow."""

from typing import Any

from shared.errors import ReadsmithError
from shared.manifest import KERAS_MODEL, verify_files
from shared.model_store import ModelStore
from shared.vocabulary import Vocabulary
from trainer.dataset import Base
from trainer.keras_files import load_keras
from trainer.requests import JobRequest


def load_base(request: JobRequest, store: ModelStore) -> Base | None:
    """Load the version that the request names as its base; None if it names none.

    Raises ReadsmithError (base_not_found, base_preset_differs, base_size_differs) or BundleError.
    """
    if request.base is None:
        return None
    if request.base not in store.versions(request.model):
        raise ReadsmithError(
            "base_not_found",
            f"Model {request.model} has no version {request.base} to start from.",
            f"It has {', '.join(map(str, store.versions(request.model))) or 'none'}.",
        )
    manifest = store.manifest(request.model, request.base)
    if manifest.preset != request.preset:
        raise ReadsmithError(
            "base_preset_differs",
            f"Version {request.base} was made with preset {manifest.preset}, not {request.preset}.",
            "Ask for the same preset, or for no base.",
        )
    for side, asked in (
        ("height", request.hyperparameters.height),
        ("width", request.hyperparameters.width),
    ):
        if asked not in ("auto", getattr(manifest.image, side)):
            raise ReadsmithError(
                "base_size_differs",
                f"Version {request.base} takes pictures of {side} "
                f"{getattr(manifest.image, side)}, not {asked}.",
                f'Leave {side} at "auto", or ask for no base.',
            )
    folder = store.folder(request.model, request.base)
    verify_files(folder, {KERAS_MODEL: manifest.files[KERAS_MODEL]})
    return Base(
        model=load_keras(folder / KERAS_MODEL),
        image=manifest.image,
        vocabulary=manifest.reader_vocabulary(),
    )


def copy_weights(base: Base, model: Any, vocabulary: Vocabulary) -> None:
    """Start a model from the base: equal layers whole, the output layer character by character.

    Characters that the base does not know keep their fresh weights.
    """
    layers = {layer.name: layer for layer in model.layers}
    *hidden, old_output = base.model.layers
    for layer in hidden:
        layers[layer.name].set_weights(layer.get_weights())
    new_output = model.layers[-1]
    weights = new_output.get_weights()
    columns = {
        base.vocabulary.encode(character)[0]: vocabulary.encode(character)[0]
        for character in set(base.vocabulary.characters) & set(vocabulary.characters)
    } | {base.vocabulary.blank_index: vocabulary.blank_index}
    for old, new in zip(old_output.get_weights(), weights, strict=True):
        new[..., list(columns.values())] = old[..., list(columns)]
    new_output.set_weights(weights)
