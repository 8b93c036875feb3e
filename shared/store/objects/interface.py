"""What the model store asks of the place where its objects are: a folder or a bucket."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ChangedMeanwhileError(Exception):
    """An object is not what it was when it was read; nothing was written."""


@dataclass(frozen=True)
class Content:
    """What an object holds, and the mark of exactly this content."""

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Objects by keys with slashes; each appears whole or not at all, and then it lasts.

    A folder raises OSError where it cannot be used, a bucket StorageError.
    """

    address: str

    def get(self, key: str, known: Content | None = None) -> Content | None:
        """Return a small object, the known content itself if it is still that; None if none is."""

    def put(self, key: str, data: bytes, replacing: Content | None) -> Content:
        """Write a small object in place of exactly this content, or of nothing.

        Raises ChangedMeanwhileError if something else is there.
        """

    def write(self, key: str, data: bytes) -> None:
        """Write a small object, whatever is there."""

    def send(self, files: Mapping[str, Path]) -> None:
        """Store copies of files by their keys."""

    def keys(self, below: str) -> set[str]:
        """Return the keys of an object, or of all below a folder.

        One that ends in a slash is no object, but a folder in which nothing is.
        """

    def folders(self) -> list[str]:
        """Return the first parts of the keys that have several."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects and empty folders; those that are not there are fine."""

    def require_conditions(self) -> None:
        """Raise StorageError unless `put` holds back a write whose condition is not met."""

    def hold(self, key: str) -> AbstractContextManager[None]:
        """Show others that this process lives, as long as the block lasts."""

    def is_held(self, key: str) -> bool | None:
        """Tell whether the process that began to hold the key still does; None: cannot tell."""
