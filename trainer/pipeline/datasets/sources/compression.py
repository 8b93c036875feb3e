"""Decompresses tars that gzip, bzip2 or xz have compressed, within a limit of memory."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from trainer.pipeline.datasets.sources.file_kind import BZIP2, GZIP, XZ
from trainer.pipeline.datasets.sources.shards import begins_a_tar

CHUNK = 1 << 20
XZ_MEMORY = 200_000_000
"""Bytes; `xz -9` needs 65 MB."""


Opener = Callable[[BinaryIO], BinaryIO]


def tar_opener(path: Path) -> Opener | None:
    """Return what decompresses a compressed tar, None for any other file."""
    with path.open("rb") as file:
        head = file.read(len(XZ))
        for mark, opener in _OPENERS:
            if head.startswith(mark):
                file.seek(0)
                with suppress(OSError, EOFError, lzma.LZMAError, ValueError):
                    if begins_a_tar(opener(file).read(512)):
                        return opener
    return None


def _gzip(file: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def _bzip2(file: BinaryIO) -> BinaryIO:
    return bz2.BZ2File(file)  # type: ignore[return-value]


def _xz(file: BinaryIO) -> BinaryIO:
    return _XzReader(file)  # type: ignore[return-value]


class _XzReader(io.RawIOBase):
    """Decompresses xz within a limit of memory, which LZMAFile has none of.

    A file of a hundred bytes may ask for a dictionary of 4 GB.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; raises EOFError, LZMAError."""
        while True:
            data = b""
            if self._stream.eof:
                data = self._stream.unused_data.lstrip(b"\0") or self._file.read(CHUNK)
                if not data:
                    return b""
                self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
            elif self._stream.needs_input and not (data := self._file.read(CHUNK)):
                raise EOFError("it ends within its data")
            if found := self._stream.decompress(data, size):
                return found


_OPENERS: tuple[tuple[bytes, Opener], ...] = ((GZIP, _gzip), (BZIP2, _bzip2), (XZ, _xz))
