"""Sources of labelled images: a folder, a zip or shards, read entry by entry, never extracted."""

import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from shared.errors import DatasetError, DatasetNotFoundError
from shared.texts import shown
from trainer.pipeline.datasets.sources import image_files
from trainer.pipeline.datasets.sources.compression import tar_opener
from trainer.pipeline.datasets.sources.image_files import (
    UnreadableEntryError,
    require_small,
    visible,
)
from trainer.pipeline.datasets.sources.parquet import ParquetSource, is_parquet, tables_of
from trainer.pipeline.datasets.sources.shards import ShardSource, is_shard, shards_of
from trainer.pipeline.datasets.sources.tar_file import CompressedTarSource, TarSource
from trainer.pipeline.datasets.sources.zip_file import UTF8, entry_name, open_zip, too_many_files
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Python decompresses a chunk of the others whole, however much larger it is than declared."""


class ImageSource(Protocol):
    """Names of files, and their bytes."""

    limits: DatasetLimits

    def names(self) -> list[str]:
        """Return the visible files, as sorted relative POSIX paths."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises UnreadableEntryError."""


def open_source(path: Path, limits: DatasetLimits = DEFAULT_LIMITS) -> ImageSource:
    """Open a folder, a zip, a tar, compressed or not, a parquet table, or a folder of such.

    Raises ReadsmithError: dataset_not_found, and those of open_zip, ShardSource, TarSource and
    ParquetSource.
    """
    if path.is_dir():
        if shards := shards_of(path):
            return ShardSource(shards, limits)
        tables = tables_of(path)
        return ParquetSource(tables, limits) if tables else FolderSource(path, limits)
    if not path.is_file():
        raise DatasetNotFoundError(
            "dataset_not_found", f"There is no {path}.", "Give a zip, a tar, a folder or a URL."
        )
    if is_shard(path):
        return _open_tar(path, limits)
    if is_parquet(path):
        return ParquetSource([path], limits)
    opener = tar_opener(path)
    return ZipSource(path, limits) if opener is None else CompressedTarSource(path, opener, limits)


def _open_tar(path: Path, limits: DatasetLimits) -> ImageSource:
    """Open a tar as a shard, or as a folder if it has files that may be lists of labels."""
    shard = ShardSource([path], limits)
    others = shard.ignored and not shard.labelled and len(shard.images) < limits.files
    return TarSource(path, limits) if shard.lists or others else shard


class FolderSource:
    """Files below a folder."""

    def __init__(self, root: Path, limits: DatasetLimits = DEFAULT_LIMITS) -> None:
        self.root = root
        self.limits = limits

    def names(self) -> list[str]:
        """Return the visible files below the folder; raises ReadsmithError for too many files."""
        found = []
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = [name for name in subfolders if visible(PurePosixPath(name))]
            found += [Path(folder, name).relative_to(self.root) for name in files]
        names = _visible_names([path.as_posix() for path in found])
        if len(names) > self.limits.files:
            raise too_many_files(len(names), self.limits.files)
        return names

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        path = self.root / name
        try:
            if not path.is_file():  # reading a pipe would never end
                raise UnreadableEntryError("is not a regular file")
            with path.open("rb") as file:
                data = file.read(image_files.MAX_ENTRY_BYTES + 1)
        except OSError as error:
            raise UnreadableEntryError(error.strerror or str(error)) from error
        require_small(len(data))
        return data


class ZipSource:
    """Entries of a zip."""

    def __init__(self, path: Path, limits: DatasetLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._path = path
        self._zip = open_zip(path, limits)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self.unmarked: list[str] = []
        """Names in an undeclared encoding, which may be decoded wrongly."""
        for entry in self._zip.infolist():
            if not entry.is_dir():
                self._add(entry)

    def _add(self, entry: zipfile.ZipInfo) -> None:
        name = entry_name(entry)
        if name in self._entries:
            raise DatasetError(
                "dataset_unsafe",
                f"The zip holds two entries named {shown(name)}.",
                "Pack the images again, each under a different name.",
            )
        self._entries[name] = entry
        if not entry.flag_bits & UTF8 and not name.isascii() and name == entry.filename:
            self.unmarked.append(name)

    def __reduce__(self) -> tuple[type["ZipSource"], tuple[Path, DatasetLimits]]:
        """Let another process open the zip itself: file handles cannot be pickled."""
        return ZipSource, (self._path, self.limits)

    def names(self) -> list[str]:
        """Return the visible entries."""
        return _visible_names(list(self._entries))

    def read(self, name: str) -> bytes:
        """Return an entry's bytes, at most one more than its directory declares."""
        entry = self._entries[name]
        require_small(entry.file_size)
        if entry.compress_type not in READ_METHODS:
            raise UnreadableEntryError("is compressed by another method than deflate")
        try:
            with self._zip.open(entry) as file:
                return file.read(entry.file_size + 1)
        except Exception as error:  # zipfile raises anything on hostile data, zlib.error too
            raise UnreadableEntryError(f"cannot be decompressed: {shown(str(error))}") from error


class JoinedSource:
    """A dataset and further images, which get names below `folder`."""

    def __init__(self, dataset: ImageSource, further: ImageSource, folder: str) -> None:
        self.limits = dataset.limits
        self._dataset = dataset
        self._further = {f"{folder}/{name}": (further, name) for name in further.names()}

    def names(self) -> list[str]:
        """Return the names of both."""
        return sorted({*self._dataset.names(), *self._further})

    def read(self, name: str) -> bytes:
        """Return a file's bytes; of two files of the same name, the further one's."""
        source, name = self._further.get(name, (self._dataset, name))
        return source.read(name)


def _visible_names(names: list[str]) -> list[str]:
    return sorted(name for name in names if visible(PurePosixPath(name)))
