"""Reads labels.csv and labels.tsv: a header with filename and text, then a row per image.

Columns that may be there, too: group, split and state.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

from shared.errors import DatasetError
from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource


class Part(IntEnum):
    """A part of a dataset."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


PART_NAMES = {
    **dict.fromkeys(("train", "training"), Part.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), Part.VALIDATION),
    **dict.fromkeys(("test", "testing"), Part.TEST),
}
"""As users name the parts, in the column split and as folders."""
STATES = {"readable": True, "unreadable": False}
"""Whether there is anything to read on an image, by the column state."""


@dataclass(frozen=True)
class LabelRow:
    """One line of a label file."""

    manifest: str
    line: int
    filename: str
    text: str
    group: str
    """Empty if there is none."""
    part: Part | None
    readable: bool


def label_rows(source: ImageSource, manifests: Sequence[str]) -> Iterator[LabelRow]:
    """Yield the rows of all label files.

    Raises ReadsmithError: labels_unreadable, labels_not_utf8, labels_header, labels_column,
    labels_too_many.
    """
    rows = chain.from_iterable(_rows(source, manifest) for manifest in manifests)
    for number, row in enumerate(rows):
        if number == source.limits.files:
            raise DatasetError(
                "labels_too_many",
                f"The label files have more than {source.limits.files:,} rows.",
                "Give one row per image.",
            )
        yield row


def _rows(source: ImageSource, manifest: str) -> Iterator[LabelRow]:
    try:
        content = source.read(manifest).decode("utf-8-sig")  # Excel begins UTF-8 with a BOM
    except UnicodeDecodeError as error:
        raise DatasetError(
            "labels_not_utf8",
            f"{shown(manifest)} is not UTF-8 at byte {error.start}.",
            "Save it as UTF-8.",
        ) from error
    except UnreadableEntryError as error:
        raise DatasetError(
            "labels_unreadable", f"{shown(manifest)} cannot be read: it {error}.", "Pack it again."
        ) from error
    delimiter = "\t" if manifest.lower().endswith(".tsv") else ","
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        reader.fieldnames = _header(reader.fieldnames or [], manifest)
        for row in reader:
            yield _row(row, manifest, reader.line_num)
    except csv.Error as error:
        raise DatasetError(
            "labels_unreadable",
            f"{shown(manifest)} line {reader.line_num}: {error}.",
            "Fix that line.",
        ) from error


def _row(cells: Mapping[str, str | None], manifest: str, line: int) -> LabelRow:
    def cell(column: str) -> str:
        return (cells.get(column) or "").strip()

    split, state = cell("split"), cell("state")
    for column, value, known in (("split", split, PART_NAMES), ("state", state, STATES)):
        if value and value.lower() not in known:
            raise DatasetError(
                "labels_column",
                f"{shown(manifest)} line {line} has {shown(value)!r} in the column {column}.",
                f"It may be {', '.join(known)} or empty; name the column differently if it means "
                "something else.",
            )
    return LabelRow(
        manifest=manifest,
        line=line,
        filename=cell("filename"),
        text=text_of_cell(cells["text"] or ""),
        group=cell("group"),
        part=PART_NAMES.get(split.lower()),
        readable=STATES.get(state.lower(), True),
    )


def _header(found: Sequence[str], manifest: str) -> list[str]:
    header = [name.strip().lower() for name in found]
    if "filename" not in header or "text" not in header:
        raise DatasetError(
            "labels_header",
            f"{shown(manifest)} starts with {shown(', '.join(header)) or 'nothing'}.",
            "Its first line must be filename,text (with a tab between them in a .tsv).",
        )
    return header
