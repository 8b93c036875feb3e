"""Shared files below a prefix of a bucket."""

import threading
from pathlib import Path

from shared.atomic_files import appearing
from shared.store.objects.bucket import Bucket
from trainer.files.cache import limit_cache
from trainer.files.shared_files import SharedFiles


class ObjectFiles(SharedFiles):
    """Files on an object storage; what is read on this machine is copied to it.

    Every method raises StorageError where the storage cannot be used.
    """

    def __init__(self, bucket: Bucket, max_cache_bytes: int) -> None:
        super().__init__(bucket)
        self._bucket = bucket
        self._max_cache_bytes = max_cache_bytes
        self._fetching = threading.Lock()

    def fetch(self, name: str, path: Path) -> bool:
        """Copy the object aside, and rename it."""
        try:
            with appearing(path) as aside:
                self._bucket.fetch({name: aside})
        except FileNotFoundError:
            return False
        return True

    def local(self, name: str, cache: Path) -> Path | None:
        """Return the copy in the cache, where the least lately used give way to it."""
        path = cache / name.replace("/", "-")
        with self._fetching:  # of several that want it, one fetches it
            if not path.is_file():
                cache.mkdir(parents=True, exist_ok=True)
                if not self.fetch(name, path):
                    return None
                limit_cache(cache, self._max_cache_bytes)
            path.touch()
        return path
