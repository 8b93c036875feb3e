"""Tars as folders of files: compressed ones, and those with lists of labels in them.

A compressed tar is decompressed once, into a temporary tar beside which nothing is extracted: the
limits of zips hold for it while it is written, and its members are checked as those of shards are.
"""

import io
import shutil
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from shared.errors import DatasetError
from shared.texts import shown
from trainer.pipeline.datasets.sources.compression import Opener
from trainer.pipeline.datasets.sources.image_files import (
    UnreadableEntryError,
    require_small,
    visible,
)
from trainer.pipeline.datasets.sources.shards import indexed_members, unsafe_entry
from trainer.pipeline.datasets.sources.zip_file import TOTAL_RATIO_MATTERS_FROM, too_many_files
from trainer.schemas.limits import DatasetLimits

CHUNK = 1 << 20
TAR_OVERHEAD = 2048
"""Bytes of a tar for each file beside its content: headers, and what fills its last block."""


class TarSource:
    """Files in one tar, whose images are read at their offsets.

    Raises ReadsmithError: dataset_not_a_tar, dataset_unsafe, dataset_too_many_files.
    """

    def __init__(self, path: Path, limits: DatasetLimits) -> None:
        self.limits = limits
        self._path = path
        self._located: dict[str, tuple[int, int]] = {}
        """The offset and size of each file."""
        for member in indexed_members(path):
            name = PurePosixPath(member.name).as_posix()
            if name in self._located:
                raise unsafe_entry(name, "is in its tar twice")
            self._located[name] = member.offset_data, member.size
            if len(self._located) > limits.files:
                raise too_many_files(len(self._located), limits.files)

    def names(self) -> list[str]:
        """Return the visible files."""
        return sorted(name for name in self._located if visible(PurePosixPath(name)))

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        offset, size = self._located[name]
        require_small(size)
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise UnreadableEntryError(error.strerror or str(error)) from error


class WrittenTarSource(TarSource):
    """Files in a temporary tar that `write` makes, for as long as the source is used."""

    def __init__(self, write: Callable[[Path], None], limits: DatasetLimits) -> None:
        folder = Path(tempfile.mkdtemp(prefix="readsmith-tar-"))
        self._removed = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            tar = folder / "set.tar"
            write(tar)
            super().__init__(tar, limits)
        except BaseException:
            self._removed()
            raise

    def __reduce__(self) -> tuple[type[TarSource], tuple[Path, DatasetLimits]]:
        """Let a child process read the tar, which this one removes at its end."""
        return TarSource, (self._path, self.limits)


class CompressedTarSource(WrittenTarSource):
    """Files in a tar.gz, tar.bz2 or tar.xz.

    Raises ReadsmithError: as TarSource, and dataset_too_large.
    """

    def __init__(self, path: Path, opener: Opener, limits: DatasetLimits) -> None:
        super().__init__(lambda tar: _decompress(path, opener, tar, limits), limits)


def add_file(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file to a tar that is only written."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
    tar.members.clear()  # type: ignore[attr-defined]  # else it holds all of them in memory


def require_room(path: Path, size: int, limits: DatasetLimits) -> None:
    """Raise ReadsmithError dataset_too_large for so many bytes that a file decompresses to."""
    if size > limits.bytes:
        raise DatasetError(
            "dataset_too_large",
            f"{shown(path.name)} decompresses to more than {limits.bytes:,} bytes.",
            "Give fewer or smaller images, or raise READSMITH_MAX_DATASET_BYTES.",
        )


def _decompress(path: Path, opener: Opener, target: Path, limits: DatasetLimits) -> None:
    ratio = max(TOTAL_RATIO_MATTERS_FROM, limits.ratio * path.stat().st_size)
    written = 0
    with target.open("wb") as file:
        for chunk in _chunks(path, opener):
            written += len(chunk)
            require_room(path, written - TAR_OVERHEAD * limits.files, limits)
            if written > ratio:
                raise DatasetError(
                    "dataset_unsafe",
                    f"{shown(path.name)} decompresses to more than {limits.ratio} times its size.",
                    "Pack the images again, as plain files.",
                )
            file.write(chunk)


def _chunks(path: Path, opener: Opener) -> Iterator[bytes]:
    try:
        with path.open("rb") as packed, opener(packed) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except (EOFError, OSError, zlib.error, LZMAError, ValueError) as error:
        raise DatasetError(
            "dataset_not_a_tar",
            f"{shown(path.name)} is cut short or damaged: {shown(str(error))}.",
            "Download or pack it again, and compare its size.",
        ) from error
