"""Reads labels.csv and labels.tsv: a header with filename and text, then a row per image."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from shared.errors import DatasetError
from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource


@dataclass(frozen=True)
class LabelRow:
    """One line of a label file."""

    manifest: str
    line: int
    filename: str
    text: str


def label_rows(source: ImageSource, manifests: Sequence[str]) -> Iterator[LabelRow]:
    """Yield the rows of all label files.

    Raises ReadsmithError: labels_unreadable, labels_not_utf8, labels_header, labels_too_many.
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
            name, text = (row["filename"] or "").strip(), text_of_cell(row["text"] or "")
            yield LabelRow(manifest, reader.line_num, name, text)
    except csv.Error as error:
        raise DatasetError(
            "labels_unreadable",
            f"{shown(manifest)} line {reader.line_num}: {error}.",
            "Fix that line.",
        ) from error


def _header(found: Sequence[str], manifest: str) -> list[str]:
    header = [name.strip().lower() for name in found]
    if "filename" not in header or "text" not in header:
        raise DatasetError(
            "labels_header",
            f"{shown(manifest)} starts with {shown(', '.join(header)) or 'nothing'}.",
            "Its first line must be filename,text (with a tab between them in a .tsv).",
        )
    return header
