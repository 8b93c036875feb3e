"""A bucket of an S3-compatible object storage, through s3fs, which is imported for it alone.

Credentials, region and endpoint come from the standard AWS_… variables, which botocore reads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
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
CHUNK = 1 << 20
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
        self._bucket, self._prefix = parse_address(address)
        self.address = address.rstrip("/")
        self._connection = StorageConnection(self.address)
        require_package()

    def __reduce__(self) -> tuple[object, ...]:
        return (Bucket, (self.address,))

    def get(self, key: str, known: Content | None = None) -> Content | None:
        """Return a small object, the known content itself if it is still that; None if none is."""
        unless = {"IfNoneMatch": known.etag} if known else {}

        async def get(storage: Any) -> Content:
            async def whole(body: Any) -> bytes:
                data: bytes = await body.read()
                return data

            return Content(*await self._taken(storage, key, whole, unless))

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

        async def send(storage: Any, key: str) -> None:
            await storage._put_file(
                str(files[key]), self._path(key), chunksize=PART_BYTES, max_concurrency=2
            )

        self._each(send, files)

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Fetch objects into files by their keys; raises FileNotFoundError if one is missing."""

        async def fetch(storage: Any, key: str) -> None:
            async def save(body: Any) -> None:
                with files[key].open("wb") as file:
                    while chunk := await body.read(CHUNK):
                        file.write(chunk)

            await self._taken(storage, key, save)

        self._each(fetch, files)

    def sizes(self, below: str) -> dict[str, int]:
        """Return the keys of an object, or of all below a folder, and their sizes in bytes."""

        async def find(storage: Any) -> dict[str, int]:
            found = await storage._find(self._path(below), detail=True)
            return {self._relative(path): about["size"] for path, about in found.items()}

        return self._connection.run(find)

    def folders(self) -> list[str]:
        """Return the first parts of the keys that have several."""

        async def look(storage: Any) -> list[str]:
            found = await storage._ls(self._path(""), detail=True, refresh=True)
            return [self._relative(e["name"]) for e in found if e["type"] == "directory"]

        try:
            return self._connection.run(look, SMALL_SECONDS)
        except FileNotFoundError:
            return []

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are fine."""

        async def delete(storage: Any, key: str) -> None:
            await storage._call_s3("delete_object", **self._at(key))

        self._each(delete, keys)

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
        async def put(storage: Any) -> Content:
            answer = await storage._call_s3("put_object", **self._at(key), Body=data, **condition)
            return Content(data, answer["ETag"])

        return self._connection.run(put, SMALL_SECONDS)

    async def _taken(
        self,
        storage: Any,
        key: str,
        take: Callable[[Any], Awaitable[T]],
        unless: Mapping[str, str] | None = None,
    ) -> tuple[T, str]:
        """Return what is made of an object's body, and its mark; one that breaks off is re-read."""
        from s3fs.core import S3_RETRYABLE_ERRORS  # noqa: PLC0415 - of the optional package

        for left in reversed(range(TRIES)):
            answer = await storage._call_s3("get_object", **self._at(key), **(unless or {}))
            try:
                return await take(answer["Body"]), answer["ETag"]
            except S3_RETRYABLE_ERRORS:
                if not left:
                    raise
            finally:
                answer["Body"].close()
        raise AssertionError("the last try returns or raises")

    def _each(self, work: Callable[[Any, str], Awaitable[None]], keys: Iterable[str]) -> None:
        """Work on all keys, several at a time; the first failure ends it."""

        async def each(storage: Any) -> None:
            turn = asyncio.Semaphore(AT_ONCE)

            async def one(key: str) -> None:
                async with turn:
                    await work(storage, key)

            failure = None
            try:
                async with asyncio.TaskGroup() as group:
                    for key in keys:
                        group.create_task(one(key))
            except ExceptionGroup as failures:
                failure = failures.exceptions[0]
            if failure is not None:
                raise failure

        self._connection.run(each)

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}".strip("/")}

    def _path(self, key: str) -> str:
        return "/".join(filter(None, (self._bucket, self._prefix, key)))

    def _relative(self, path: str) -> str:
        return path.removeprefix(self._path("")).strip("/")
