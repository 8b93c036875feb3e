"""The models that come with Readsmith, in a model store inside the package."""

from pathlib import Path

from shared.store.store import ModelStore

STARTER = "starter"
"""Reads drawn text in many fonts; training starts from it, and it answers before any training."""

STARTERS = {"conv": "starter-small", "conv-large": STARTER}
"""The model that training starts from, by preset."""

UNTRAINED = (
    "Read by the starter that comes with Readsmith: no model of your own is served yet. "
    "Of images that it never saw, it reads 43 % of captchas, 65 % of license plates and 58 % of "
    "receipt lines right; ten labels of those captchas make that 89 %. "
    "Train one with POST /jobs or `readsmith train DATASET`."
)
"""Goes with predictions of the starter where no model was asked for. Its figures are those of the
starter's manifest and of docs/decisions/0026-open-vocabulary.md."""


def builtin_store() -> ModelStore:
    """Return the store in the package; nobody but `make starter` writes there."""
    return ModelStore(Path(__file__).with_name("builtin_models"))


def not_builtin(model: str) -> str:
    """Return the name of a model that a user may publish; raises ValueError for a starter's."""
    if model in STARTERS.values():
        raise ValueError("should be another name: this one is of the model in the package")
    return model
