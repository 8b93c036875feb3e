"""Zips that are packed while they are sent."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any


class _Outgoing(io.RawIOBase):
    """What has been packed and not yet been taken away."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


def zip_stream(
    entries: Iterable[tuple[str, bytes]], lists: Mapping[str, bytes] | None = None
) -> Iterator[bytes]:
    """Yield the bytes of a zip of these names and contents, which are not compressed.

    lists: files that come last.
    """
    outgoing = _Outgoing()
    with zipfile.ZipFile(outgoing, "w") as archive:
        for name, data in chain(entries, (lists or {}).items()):
            archive.writestr(name, data)
            yield outgoing.take()
    yield outgoing.take()
