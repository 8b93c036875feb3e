"""Opens the model store that a command is told of."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.store.location import is_object_storage
from shared.store.settings import StoreSettings
from shared.store.store import RETAINED_VERSIONS, ModelStore


class _FromEnvironment(StoreSettings, BaseSettings):
    model_config = SettingsConfigDict(env_prefix="READSMITH_")


def open_store(place: str, keep: int | None = None) -> ModelStore:
    """Return the store in a folder or at `s3://bucket/prefix`.

    keep: how many versions a publication retains; None: as many as usual.
    Raises StorageError if the package that it needs is missing.
    """
    keep = keep or RETAINED_VERSIONS
    if not is_object_storage(place):
        return ModelStore(place, keep)
    return _FromEnvironment(store=place).model_store(keep)
