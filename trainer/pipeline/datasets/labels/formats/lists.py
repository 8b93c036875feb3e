"""Recognises which files of a set are lists of labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shared.errors import DatasetError
from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.beside import ENDINGS
from trainer.pipeline.datasets.labels.formats.boxes.coco import read_coco
from trainer.pipeline.datasets.labels.formats.boxes.cvat import read_cvat
from trainer.pipeline.datasets.labels.formats.boxes.label_studio import read_label_studio
from trainer.pipeline.datasets.labels.formats.boxes.ppocrlabel import (
    CUTS,
    NOT_READ,
    read_boxes,
)
from trainer.pipeline.datasets.labels.formats.delimited import read_table
from trainer.pipeline.datasets.labels.formats.encodings import UnknownEncodingError, decoded
from trainer.pipeline.datasets.labels.formats.json_lists import read_json
from trainer.pipeline.datasets.labels.formats.label_list import (
    LabelList,
    ListFile,
    Reader,
    UnclearListError,
)
from trainer.pipeline.datasets.labels.formats.named_files import NamedFiles
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image
from trainer.pipeline.datasets.sources.shards import LABEL_FILES
from trainer.pipeline.datasets.sources.source import ImageSource

READERS: tuple[Reader, ...] = (
    read_boxes,
    read_label_studio,
    read_coco,
    read_cvat,
    read_json,
    read_table,
)
"""Each is asked in turn."""
LIST_ENDINGS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".xml", ".lst", ".dat", ""}
OTHER_ENDINGS = {".xlsx", ".xls", ".ods", ".xml", ".parquet", ".tfrecord", ".mdb", ".numbers"}
"""Formats that may hold labels and are not read, or not always."""
ABOUT = ("readme", "license", "licence", "changelog", "requirements", "classes")
"""Beginnings of names that are about a set, not a list of it."""
LIKE_A_LIST = ("label", "annot", "transcri", "metadata", "rec_gt", "ground", "caption")
MOST_LISTS = 100
"""Of more files under other names, the rest is not looked into."""


@dataclass
class FoundLists:
    """The lists of a set."""

    lists: list[LabelList] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    """Files that may hold labels and in which none were recognised."""
    refused: list[UnclearListError] = field(default_factory=list)
    """What is said of boxes that hold no texts, and of columns of which none is known."""
    ignored: list[str] = field(default_factory=list)
    """Text files that have nothing to do with labels."""


def own_lists(names: Iterable[str]) -> list[str]:
    """Return the files under the names of Readsmith's own lists."""
    return [name for name in names if PurePosixPath(name).name.lower() in LABEL_FILES]


def find_lists(source: ImageSource, files: NamedFiles) -> FoundLists:
    """Recognise the lists of a set, whatever their names.

    Raises ReadsmithError: those of `read_list` for labels.csv and labels.tsv.
    """
    found = FoundLists()
    own = own_lists(files.names)
    found.lists = [read_list(source, name, files) for name in own]
    others = _candidates(files.names, set(own))
    for number, name in enumerate(others):
        ending = PurePosixPath(name).suffix.lower()
        text, listed = "", None
        if ending in LIST_ENDINGS and number < MOST_LISTS:
            try:
                text, listed = _tried(source, name, files)
            except UnclearListError as error:
                found.refused.append(error)
                continue
        if listed is not None:
            found.lists.append(listed)
        elif (
            ending in OTHER_ENDINGS
            or name.lower().endswith(ENDINGS[0])
            or _like_a_list(name, text, files)
        ):
            found.unclear.append(name)
        else:
            found.ignored.append(name)
    return found


def read_list(source: ImageSource, name: str, files: NamedFiles) -> LabelList:
    """Read a file that must be a list.

    Raises ReadsmithError: labels_not_utf8, labels_unreadable, labels_header, labels_column,
    labels_ambiguous.
    """
    try:
        text, encoding = decoded(source.read(name))
    except UnknownEncodingError as error:
        raise DatasetError(
            "labels_not_utf8",
            f"{shown(name)} {error}.",
            "Save it as UTF-8; in Excel, as “CSV UTF-8 (comma delimited)”.",
        ) from error
    except UnreadableEntryError as error:
        raise DatasetError(
            "labels_unreadable", f"{shown(name)} cannot be read: it {error}.", "Pack it again."
        ) from error
    file = ListFile(name, text, encoding, files, source.limits.files, required=True)
    listed = _recognised(file)
    assert listed is not None  # noqa: S101 - the last reader raises where it cannot read
    return listed


def _tried(source: ImageSource, name: str, files: NamedFiles) -> tuple[str, LabelList | None]:
    """Return a file's text, and its list if one of its rows names an image."""
    try:
        text, encoding = decoded(source.read(name))
    except (UnreadableEntryError, UnknownEncodingError):
        return "", None
    listed = _recognised(ListFile(name, text, encoding, files, source.limits.files, required=False))
    if listed is not None and any(_is_of_image(row.filename, name, files) for row in listed.rows):
        return text, listed
    return text, None


def _is_of_image(filename: str, manifest: str, files: NamedFiles) -> bool:
    name = files.find(manifest, filename)
    return name is not None and is_image(name)


def _recognised(file: ListFile) -> LabelList | None:
    return next((listed for reader in READERS if (listed := reader(file)) is not None), None)


def _candidates(names: Sequence[str], own: set[str]) -> list[str]:
    """Return the files that may be lists: not those of one image, 0017.txt beside 0017.png."""
    images = {PurePosixPath(name).stem for name in names if is_image(name)}
    everything = set(names)
    found = []
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() not in LIST_ENDINGS | OTHER_ENDINGS or name in own:
            continue
        about = path.name.lower().startswith(ABOUT) or path.name.lower() in NOT_READ
        if path.name == "Label.txt" and (path.parent / CUTS).as_posix() in everything:
            continue
        if not about and path.stem.removesuffix(".gt") not in images:
            found.append(name)
    return found


def _like_a_list(name: str, text: str, files: NamedFiles) -> bool:
    """Tell whether a file that is no known list may yet hold the labels."""
    images = (image for image in files.names if is_image(image))
    some = [PurePosixPath(image).name for _, image in zip(range(50), images, strict=False)]
    named = sum(image in text for image in some)
    return bool(text.strip()) and (
        2 * named > len(some) or PurePosixPath(name).name.lower().startswith(LIKE_A_LIST)
    )
