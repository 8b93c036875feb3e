"""A bucket of an S3-compatible object storage, through boto3, which is imported for it alone.

Credentials, region and endpoint come from the standard AWS_… variables, which it reads.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import StorageError
from shared.store.location import parse_address
from shared.store.objects.connection import NotModifiedError, StorageConnection, require_package
from shared.store.objects.interface import ChangedMeanwhileError, Content

CONDITION = ".readsmith-condition"
"""An object that never is, but where a storage does not hold to conditions."""
SMALL_SECONDS = 30
"""How long all of a small object may take."""
TRIES = 3
"""Of an answer that breaks off; requests that fail at once are repeated by botocore."""
PART_BYTES = 16 << 20
"""Of a large file, two such parts are in memory at a time."""
AT_ONCE = 8
"""Files that are sent or fetched at the same time."""

T = TypeVar("T")


class Bucket:
    """The objects below a prefix; keys are relative to it.

    Every method raises StorageError where the storage cannot be used, and so does making one
    where the package for it is missing. It may be made before a fork and be pickled.
    """

    def __init__(self, address: str) -> None:
        self._bucket, prefix = parse_address(address)
        self._root = f"{prefix}/" if prefix else ""
        self.address = address.rstrip("/")
        self._connection = StorageConnection(self.address)
        require_package()

    def __reduce__(self) -> tuple[object, ...]:
        return (Bucket, (self.address,))

    def get(self, key: str, known: Content | None = None) -> Content | None:
        """Return a small object, the known content itself if it is still that; None if none is."""
        unless = {"IfNoneMatch": known.etag} if known else {}

        def get(storage: Any) -> Content:
            return Content(*self._taken(storage, key, lambda body: body.read(), unless))

        try:
            return self._connection.run(get, SMALL_SECONDS)
        except FileNotFoundError:
            return None
        except NotModifiedError:
            return known

    def put(self, key: str, data: bytes, replacing: Content | None) -> Content:
        """Write a small object in place of exactly this content, or of nothing.

        Raises ChangedMeanwhileError if something else is there.
        """
        try:
            return self._put(
                key, data, {"IfMatch": replacing.etag} if replacing else {"IfNoneMatch": "*"}
            )
        except (FileNotFoundError, FileExistsError) as error:
            raise ChangedMeanwhileError from error

    def write(self, key: str, data: bytes) -> None:
        """Write a small object, whatever is there."""
        self._put(key, data, {})

    def send(self, files: Mapping[str, Path]) -> None:
        """Send files by their keys, several at a time; each appears whole or not at all."""

        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415 - of the optional package

        parts = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=2
        )

        def send(storage: Any, key: str) -> None:
            storage.upload_file(str(files[key]), **self._at(key), Config=parts)

        self._each(send, files)

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Fetch objects into files by their keys; raises FileNotFoundError if one is missing."""

        def fetch(storage: Any, key: str) -> None:
            def save(body: Any) -> None:
                with files[key].open("wb") as file:
                    shutil.copyfileobj(body, file)

            self._taken(storage, key, save)

        self._each(fetch, files)

    def keys(self, below: str) -> set[str]:
        """Return the keys of an object, or of all below a folder."""
        found = self._listed("Contents", "Key", Prefix=self._root + below)
        folder = f"{below}/" if below else ""
        # consoles mark folders by objects whose keys end in a slash
        return {key for key in found if f"{key}/".startswith(folder) and not key.endswith("/")}

    def folders(self) -> list[str]:
        """Return the first parts of the keys that have several."""
        asked = {"Prefix": self._root, "Delimiter": "/"}
        found = self._listed("CommonPrefixes", "Prefix", SMALL_SECONDS, **asked)
        return [name.removesuffix("/") for name in found]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are fine."""
        self._each(lambda storage, key: storage.delete_object(**self._at(key)), keys)

    def require_conditions(self) -> None:
        """Raise StorageError unless the storage holds back a write whose condition is not met."""
        try:
            self.put(CONDITION, b"", replacing=Content(b"", f'"{"0" * 32}"'))
        except ChangedMeanwhileError:
            return
        self.delete([CONDITION])
        raise StorageError(
            f"The storage of {self.address} writes without regard to conditions (If-Match).",
            "Two writers would overwrite each other. Use a storage with conditional writes, "
            "as AWS S3 and MinIO have them, or a folder.",
        )

    def hold(self, key: str) -> AbstractContextManager[None]:
        """Do nothing: a bucket has no locks."""
        return nullcontext()

    def is_held(self, key: str) -> bool | None:
        """Tell nothing: who was killed cannot be told from who is slow."""
        return None

    def _put(self, key: str, data: bytes, condition: Mapping[str, str]) -> Content:
        def put(storage: Any) -> Content:
            answer = storage.put_object(**self._at(key), Body=data, **condition)
            return Content(data, answer["ETag"])

        return self._connection.run(put, SMALL_SECONDS)

    def _taken(
        self,
        storage: Any,
        key: str,
        take: Callable[[Any], T],
        unless: Mapping[str, str] | None = None,
    ) -> tuple[T, str]:
        """Return what is made of an object's body, and its mark; one that breaks off is re-read."""
        from botocore import exceptions  # noqa: PLC0415 - of the optional package

        for left in reversed(range(TRIES)):
            answer = storage.get_object(**self._at(key), **(unless or {}))
            try:
                with closing(answer["Body"]) as body:
                    return take(body), answer["ETag"]
            except (exceptions.HTTPClientError, exceptions.IncompleteReadError):
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _each(self, work: Callable[[Any, str], object], keys: Iterable[str]) -> None:
        """Work on all keys, several at a time; the first failure ends it."""

        def each(storage: Any) -> None:
            with ThreadPoolExecutor(AT_ONCE) as threads:
                for _ in threads.map(lambda key: work(storage, key), keys):
                    pass

        self._connection.run(each)

    def _listed(
        self, what: str, name: str, seconds: float | None = None, **asked: str
    ) -> list[str]:
        def look(storage: Any) -> list[str]:
            pages = storage.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **asked)
            found = (one[name] for page in pages for one in page.get(what, ()))
            return [key.removeprefix(self._root) for key in found]

        return self._connection.run(look, seconds)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._root + key}
