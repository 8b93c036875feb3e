"""The models that come with Readsmith, in a model store inside the package."""

from pathlib import Path

from shared.model_store import ModelStore

STARTER = "starter"
"""Reads drawn text in many fonts; training starts from it, and it answers before any training."""


def builtin_store() -> ModelStore:
    """Return the store in the package; nobody but `make starter` writes there."""
    return ModelStore(Path(__file__).with_name("models"))


def not_builtin(model: str) -> str:
    """Return the name of a model that a user may publish; raises ValueError for the starter's."""
    if model == STARTER:
        raise ValueError("should be another name: this one is of the model in the package")
    return model
