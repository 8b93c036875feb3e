"""Packs a zip while it is sent, so that it needs neither memory nor disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator
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


def zip_stream(entries: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield the bytes of a zip of these names and contents, which are not compressed."""
    outgoing = _Outgoing()
    with zipfile.ZipFile(outgoing, "w") as archive:
        for name, data in entries:
            archive.writestr(name, data)
            yield outgoing.take()
    yield outgoing.take()
