"""Datasets packed as WebDataset shards: tar files of images with their labels beside them.

`0017.png` and `0017.txt`, in succession, are an image and its label. Nothing is extracted: each
shard is indexed in one pass, then its images are read at their offsets.
"""

import tarfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path, PurePosixPath

from shared.errors import DatasetError, LabelsNotFoundError, ReadsmithError
from shared.texts import shown
from trainer.pipeline.datasets.sources.image_files import (
    UnreadableEntryError,
    is_image,
    require_small,
    visible,
)
from trainer.pipeline.datasets.sources.text_columns import NameIndex, Texts
from trainer.pipeline.datasets.sources.zip_file import name_fault, too_many_files
from trainer.schemas.labels import MAX_LABEL
from trainer.schemas.limits import DatasetLimits

MAX_HEADER_BYTES = 1 << 20
"""For one member: its name and other metadata, which tarfile reads into memory whole."""
MAX_TEXT_BYTES = 4 * MAX_LABEL
"""UTF-8; no label is longer."""
MAX_FILES_PER_SAMPLE = 100
"""Files of one sample; bounds what is held in memory while a shard is indexed."""
LABEL_FILES = ("labels.csv", "labels.tsv")


def is_shard(path: Path) -> bool:
    """Return whether a file begins like a tar."""
    with path.open("rb") as file:
        return begins_a_tar(file.read(tarfile.BLOCKSIZE))


def begins_a_tar(head: bytes) -> bool:
    """Return whether the first 512 bytes of a file are those of a tar."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def shards_of(folder: Path) -> list[Path]:
    """Return the shards in a folder; none if it also holds images or label files itself."""
    files = [path for path in folder.iterdir() if visible(PurePosixPath(path.name))]
    if any(is_image(path.name) or path.name.lower() in LABEL_FILES for path in files):
        return []
    return sorted(path for path in files if path.suffix.lower() == ".tar" and path.is_file())


class ShardSource:
    """Images in tar files; of several files, each called <name of the shard>/<name in it>.

    Raises ReadsmithError: dataset_not_a_tar, dataset_unsafe, dataset_too_many_files,
    labels_not_found.
    """

    def __init__(self, paths: Sequence[Path], limits: DatasetLimits) -> None:
        self.limits = limits
        self.images = Texts()
        """The names of all images, in the order of the shards."""
        self.ignored = 0
        """How many files are neither an image nor the label of one."""
        self.lists = 0
        """How many of those are labels.csv or labels.tsv; in several tars, such are rejected."""
        self._paths = list(paths)
        self._texts = Texts()  # beside the images; empty where there is none
        self._labelled = bytearray()
        self._located = array("Q")  # shard, offset and size of each image
        files = 0
        for number, path in enumerate(paths):
            for sample in _samples(path, alone=len(paths) == 1):
                files += len(sample)
                if files > limits.shard_files:
                    raise too_many_files(files, limits.shard_files)
                self._add(number, sample)
        self._by_name = NameIndex(self.images)
        if (name := self._by_name.repeated()) is not None:
            raise unsafe_entry(name, "is in its shard twice")

    def text(self, index: int) -> str | None:
        """Return the text beside the image at this index, None if it has none."""
        return self._texts[index] if self._labelled[index] else None

    @property
    def labelled(self) -> bool:
        """Whether any image has a text file beside it."""
        return any(self._labelled)

    def names(self) -> list[str]:
        """Return the names of all images."""
        return list(self.images)

    def read(self, name: str) -> bytes:
        """Return an image's bytes."""
        index = self._by_name.of(name)
        shard, offset, size = self._located[3 * index : 3 * index + 3]
        require_small(size)
        try:
            with self._paths[shard].open("rb", buffering=0) as file:
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            raise UnreadableEntryError(error.strerror or str(error)) from error

    def _add(self, shard: int, sample: "_Sample") -> None:
        prefix = f"{self._paths[shard].name}/" if len(self._paths) > 1 else ""
        for image in sample.images:
            self.images.append(prefix + image.name)
            self._texts.append(sample.text or "")
            self._labelled.append(sample.text is not None)
            self._located.extend((shard, image.offset_data, image.size))
        self.ignored += sample.others
        self.lists += sample.lists
        if sample.text is not None and not sample.images:
            self.ignored += 1


@dataclass
class _Sample:
    """Successive files whose names differ only in their suffixes."""

    key: str
    images: list[tarfile.TarInfo] = field(default_factory=list)
    text: str | None = None
    others: int = 0
    lists: int = 0
    """How many of the others are lists of labels."""

    def __len__(self) -> int:
        return len(self.images) + (self.text is not None) + self.others


def _samples(path: Path, *, alone: bool) -> Iterator[_Sample]:
    with _ReadHeaders(path) as file:
        sample = _Sample("")
        for member in _members(file, path):
            folder, _, name = member.name.rpartition("/")
            key = f"{folder}/{name.partition('.')[0]}"
            # Without a maximum, a million files of one name would be held in memory.
            if key != sample.key or len(sample) == MAX_FILES_PER_SAMPLE:
                yield sample
                sample = _Sample(key)
            if is_image(name):
                sample.images.append(member)
            elif name.lower().endswith(".txt") and sample.text is None:
                sample.text = file.text(member)
            elif name.lower() in LABEL_FILES and not alone:
                # Ignored, it would silently give way to the file names as labels.
                raise LabelsNotFoundError(
                    "labels_not_found",
                    f"{path.name} holds {shown(member.name)}; in a tar, each label must be a "
                    "text file beside its image: 0017.png and 0017.txt.",
                    "Give a zip or a folder, or write shards of it with `readsmith datasets pack`.",
                )
            else:
                sample.others += 1
                sample.lists += name.lower() in LABEL_FILES
        yield sample


def indexed_members(path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the visible regular files of a tar; raises ReadsmithError for an unsafe tar."""
    with _ReadHeaders(path) as file:
        yield from _members(file, path)


def _members(file: "_ReadHeaders", path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the visible regular files of a tar; raises ReadsmithError for an unsafe tar."""
    reached = -1
    try:
        with tarfile.TarFile(fileobj=file, encoding="utf-8", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # else it holds all of them in memory
                if member.offset_data <= reached:
                    # A negative size leads tarfile back to an earlier member, for ever.
                    raise tarfile.ReadError("its members form a cycle")
                reached = member.offset_data
                if (what := _fault(member)) is not None:
                    raise unsafe_entry(f"{path.name}/{member.name}", what)
                if member.isfile() and visible(PurePosixPath(member.name)):
                    yield member
    except ReadsmithError:
        raise
    except Exception as error:  # tarfile raises anything on hostile data, RecursionError too
        raise DatasetError(
            "dataset_not_a_tar",
            f"{path.name} cannot be read as a tar: {shown(str(error)) or type(error).__name__}.",
            "Give uncompressed tar files, as `readsmith datasets pack` and WebDataset write them.",
        ) from error


def _fault(member: tarfile.TarInfo) -> str | None:
    """Return why a member cannot belong to a set of images; None if it can."""
    name_wrong = name_fault(member.name)
    faults = (
        (name_wrong, name_wrong),
        (member.islnk() or member.issym(), "is a link"),
        (member.issparse(), "is sparse"),
        (member.size < 0, "has a negative size"),
        (not (member.isfile() or member.isdir()), "is a device"),
    )
    return next((what for wrong, what in faults if wrong), None)


class _ReadHeaders(FileIO):
    """A tar file for tarfile to index; read() raises for a header that would fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"the header of a member has {size:,} bytes")
        return super().read(size)

    def text(self, member: tarfile.TarInfo) -> str:
        """Return the content of a label's file, truncated beyond the longest label."""
        back = self.tell()
        self.seek(member.offset_data)
        text = super().read(min(member.size, MAX_TEXT_BYTES + 1))
        self.seek(back)
        return text.decode("utf-8", "surrogateescape")


def unsafe_entry(name: str, what: str) -> ReadsmithError:
    """Return the error for a member that could do harm, or is there twice."""
    return DatasetError(
        "dataset_unsafe",
        f"The entry {shown(name)} {what}.",
        "Write the shards again with `readsmith datasets pack`, or as plain files with tar.",
    )
