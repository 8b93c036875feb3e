"""Opens untrusted zips: the whole directory is checked before any entry is read.

Nothing is ever extracted to disk, so names and links cannot reach a file; a zip whose entries
would try to is rejected all the same, as no set of images has such entries.
"""

import io
import re
import stat
import weakref
import zipfile
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from shared.errors import DatasetError, ReadsmithError
from shared.texts import shown
from trainer.pipeline.datasets.sources.file_kind import why_no_zip
from trainer.schemas.limits import DatasetLimits

MAX_NAME = 4096
"""Characters; no file system has longer paths."""
MAX_DIRECTORY_BYTES = 200_000_000
"""For the zip's own directory, which zipfile reads into memory whole."""
LOCAL_HEADER_BYTES = 30
RATIO_MATTERS_FROM = 1_000_000
"""Uncompressed bytes of one file: a small white bitmap may shrink a thousandfold, harmlessly."""
TOTAL_RATIO_MATTERS_FROM = 10_000_000
"""Uncompressed bytes of the whole zip."""

_DIRECTORY_ENTRY = b"PK\x01\x02"
_DRIVE = re.compile(r"[A-Za-z]:/")
_ENCRYPTED = 0x1 | 0x40
UTF8 = 0x800
"""The flag of an entry whose name is UTF-8."""


def open_zip(path: Path, limits: DatasetLimits) -> zipfile.ZipFile:
    """Open a zip and check its directory.

    Raises ReadsmithError: dataset_not_a_zip, dataset_too_many_files, dataset_too_large,
    dataset_encrypted, dataset_unsafe; each names the entry that it is about.
    """
    try:
        file = _ReadDirectory(path, limits.files)
        archive = zipfile.ZipFile(file)
    except ReadsmithError:
        raise
    except Exception as error:  # zipfile raises anything on hostile data, UnicodeDecodeError too
        if "not a zip" in str(error) and (known := why_no_zip(path)) is not None:
            raise known from error
        raise DatasetError(
            "dataset_not_a_zip",
            f"The dataset is not a readable zip: {error}.",
            "Pack the images, and labels.csv if there is one, into a zip.",
        ) from error
    file.opened = True
    weakref.finalize(archive, file.close)  # zipfile closes only files that it opened itself
    _check_directory(archive, limits)
    return archive


def entry_name(entry: zipfile.ZipInfo) -> str:
    """Return the decoded name: many tools write UTF-8 without setting its flag."""
    name = entry.filename
    if not entry.flag_bits & UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


class _ReadDirectory(io.FileIO):
    """A zip file for ZipFile; read() raises for a directory that is too large for memory."""

    def __init__(self, path: Path, most_entries: int) -> None:
        super().__init__(path)
        self._most_entries = most_entries
        self.opened = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.opened and size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes")
        data = super().read(size)
        # Counted in the bytes, because ZipFile makes an object of 1.5 kB for each entry.
        if not self.opened and (entries := data.count(_DIRECTORY_ENTRY)) > self._most_entries:
            raise too_many_files(entries, self._most_entries)
        return data


def too_many_files(files: int, limit: int) -> ReadsmithError:
    """Return the error for a dataset of too many files."""
    return DatasetError(
        "dataset_too_many_files", f"The dataset holds {files:,} files.", f"The limit is {limit:,}."
    )


def _check_directory(archive: zipfile.ZipFile, limits: DatasetLimits) -> None:
    unpacked = packed = 0
    for entry in archive.infolist():
        if (what := _fault(entry, limits)) is not None:
            raise _unsafe(entry, what)
        if entry.flag_bits & _ENCRYPTED:
            raise DatasetError(
                "dataset_encrypted",
                f"The zip's entry {shown(entry_name(entry))} is encrypted.",
                "Pack the images without a password.",
            )
        unpacked += entry.file_size
        packed += entry.compress_size
        if unpacked > limits.bytes:
            raise DatasetError(
                "dataset_too_large",
                f"The zip decompresses to more than {limits.bytes:,} bytes; the entry "
                f"{shown(entry_name(entry))} is the first beyond.",
                "Give fewer or smaller images, or raise READSMITH_MAX_DATASET_BYTES.",
            )
    if unpacked > max(TOTAL_RATIO_MATTERS_FROM, limits.ratio * packed):
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        raise _unsafe(largest, f"is the largest of a zip that {_times(unpacked, packed)}")
    _require_apart(archive)


def _fault(entry: zipfile.ZipInfo, limits: DatasetLimits) -> str | None:
    """Return why an entry cannot belong to a set of images; None if it can."""
    name = entry_name(entry)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    grown = _times(entry.file_size, entry.compress_size)
    name_wrong = name_fault(name)
    faults = (
        (name_wrong, name_wrong),
        ("\0" in entry.orig_filename, "has a NUL in its name"),
        (kind == stat.S_IFLNK, "is a link"),
        (kind not in (0, stat.S_IFREG, stat.S_IFDIR), "is a device"),
        (entry.file_size > max(RATIO_MATTERS_FROM, limits.ratio * entry.compress_size), grown),
    )
    return next((what for wrong, what in faults if wrong), None)


def name_fault(name: str) -> str | None:
    """Return why an entry's name would be unsafe to extract; None if it is safe."""
    if len(name) > MAX_NAME:
        return f"has a name of {len(name):,} characters"
    if ".." in name.split("/"):
        return "leads outside its folder"
    if name.startswith("/") or _DRIVE.match(name):
        return "has an absolute path"
    return None


def _times(unpacked: int, packed: int) -> str:
    return f"decompresses to {unpacked / max(packed, 1):,.0f} times its compressed size"


def _require_apart(archive: zipfile.ZipFile) -> None:
    """Raise ReadsmithError if two entries share bytes: a zip of 10 MB can so decompress to 281 TB.

    (Fifield 2019, "A better zip bomb", WOOT.)
    """
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    for entry, following in pairwise(entries):
        if entry.header_offset + LOCAL_HEADER_BYTES + entry.compress_size > following.header_offset:
            other = shown(entry_name(following))
            raise _unsafe(entry, f"shares bytes with the entry {other}")
    if entries:
        last = entries[-1]
        if last.header_offset + LOCAL_HEADER_BYTES + last.compress_size > archive.start_dir:
            raise _unsafe(last, "overlaps the directory of the zip")


def _unsafe(entry: zipfile.ZipInfo, what: str) -> ReadsmithError:
    return DatasetError(
        "dataset_unsafe",
        f"The zip's entry {shown(entry_name(entry))} {what}.",
        "Pack the images again with an ordinary zip program, as plain files.",
    )
