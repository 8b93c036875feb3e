"""A recognised list of labels, and the file that it is read from."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.errors import DatasetError
from trainer.pipeline.datasets.labels.formats.named_files import NamedFiles
from trainer.pipeline.datasets.labels.label_row import LabelRow
from trainer.schemas.labels import IMAGE_COLUMNS, TEXT_COLUMNS

OWN = "label file"
"""The name of Readsmith's own format, which nobody has to be told about."""


class UnclearListError(DatasetError):
    """A list of images of which it is not certain what it says of them, or that says nothing.

    Another list of the set may say it.
    """


@dataclass(frozen=True)
class ListFile:
    """A text file that may be a list of labels."""

    name: str
    text: str
    encoding: str
    """Empty for UTF-8."""
    files: NamedFiles
    """The files of the set."""
    most_rows: int
    """A reader stops after one row more."""
    required: bool
    """Whether it must be a list: by its name, or because the user says so."""

    @property
    def base(self) -> str:
        """The file's name without its folders, in lower case."""
        return PurePosixPath(self.name).name.lower()

    def has(self, filename: str) -> bool:
        """Tell whether the list would mean a file of the set by this name."""
        return bool(filename) and self.files.find(self.name, filename) is not None


@dataclass(frozen=True)
class LabelList:
    """A list of labels in a format that was recognised."""

    name: str
    format: str
    rows: Sequence[LabelRow]
    notes: tuple[str, ...] = ()
    """How it was read, where that is not certain or not as in Readsmith's own format."""
    empty_rows: int = 0
    encoding: str = ""
    """The encoding that was taken, if it is not UTF-8."""
    warnings: tuple[str, ...] = ()
    """Which texts may be others than those that were meant, in sentences."""


Reader = Callable[[ListFile], LabelList | None]
"""Reads a list of one family of formats; returns None for any other file.

Raises ReadsmithError only for a file that is certainly meant to be a list of this family.
"""


def text_column(names: Sequence[str], image: int, *, required: bool) -> int | None:
    """Return the index of the column that holds the text, None if that is not certain.

    required: whether a column of any other name is taken, too, if it is the only one.
    """
    found = [index for index, name in enumerate(names) if name in TEXT_COLUMNS and index != image]
    if "text" in names:
        return names.index("text")
    if len(found) == 1:
        return found[0]
    others = [index for index, name in enumerate(names) if name and index != image]
    return others[0] if required and not found and len(others) == 1 else None


def image_column(names: Sequence[str]) -> int | None:
    """Return the index of the column that names the image, None if there is none."""
    return next((names.index(name) for name in IMAGE_COLUMNS if name in names), None)


def column_name(cell: str) -> str:
    """Return a column's name as tables and keys are compared: Image Path is image_path."""
    return re.sub(r"[\s_-]+", "_", cell.strip().strip("\ufeff").lower())
