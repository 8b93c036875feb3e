"""The settings about where the published models are stored."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from shared.store.location import is_object_storage, require_place
from shared.store.objects.cache import BundleCache
from shared.store.store import RETAINED_VERSIONS, ModelStore

Place = Annotated[str, BeforeValidator(os.fspath), AfterValidator(require_place)]
"""A folder, or `s3://bucket/prefix`."""


class StoreSettings(BaseModel):
    """Part of each service's settings."""

    store: Place = Field(
        "var/models",
        description="Where the published models are stored: a folder, or `s3://bucket/prefix`.",
    )
    store_cache: Path = Field(
        Path("var/store-cache"),
        description="Folder where this machine caches versions from `s3://`, and notes which "
        "versions are harmless to load.",
    )
    store_cache_bytes: int = Field(
        2_000_000_000,
        ge=1,
        description="Size limit of that cache, in bytes; beyond it the least recently used "
        "versions are deleted, never served ones.",
    )

    @property
    def bundle_cache(self) -> BundleCache:
        """Where copies of bundles on an object storage are cached."""
        return BundleCache(self.store_cache / "bundles", self.store_cache_bytes)

    def model_store(self, keep: int = RETAINED_VERSIONS) -> ModelStore:
        """Return the store; raises StorageError if the package that it needs is missing."""
        if not is_object_storage(self.store):
            return ModelStore(self.store, keep)
        from shared.store.object_store import ObjectModelStore  # noqa: PLC0415 - only for s3://
        from shared.store.objects.bucket import Bucket  # noqa: PLC0415 - likewise

        return ObjectModelStore(Bucket(self.store), self.bundle_cache, keep)
