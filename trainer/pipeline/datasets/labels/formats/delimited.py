"""Reads tables in text: CSV, TSV and their kin, with or without a header.

Readsmith's own labels.csv, EasyOCR, fast-plate-ocr, Hugging Face's metadata.csv, Label Studio's
CSV, and PaddleOCR's recognition lists are such tables.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.errors import DatasetError
from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.labels.formats.addresses import ADDRESSES, file_named
from trainer.pipeline.datasets.labels.formats.label_list import (
    IMAGE_COLUMNS,
    OWN,
    TEXT_COLUMNS,
    LabelList,
    ListFile,
    image_column,
    text_column,
)
from trainer.pipeline.datasets.labels.formats.records import SPACES, Record, lines_of, records
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, STATES, LabelRow

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACES: "spaces"}
SAMPLED_LINES = 200
"""So many lines tell whether a file without a header is a list."""
OPTIONAL = ("group", "split", "state")


@dataclass(frozen=True)
class _Layout:
    """Where a table has what."""

    delimiter: str
    names: tuple[str, ...]
    """Of the columns, in lower case; empty without a header."""
    image: int
    text: int
    first: int
    """The index of the first line after the header."""

    @property
    def columns(self) -> int:
        return len(self.names) or 2

    def records(self, lines: Sequence[str]) -> Iterator[Record]:
        # A list without a header is as PaddleOCR writes it: its tabs are never quoted.
        quoted = bool(self.names) or self.delimiter not in ("\t", SPACES)
        return records(lines, self.first, self.delimiter, self.columns, quoted=quoted)


def read_table(file: ListFile) -> LabelList | None:
    """Read a table; raises ReadsmithError labels_header and labels_column."""
    lines = lines_of(file.text)
    begin = next((index for index, line in enumerate(lines) if line.strip()), None)
    if begin is not None and lines[begin].strip().lower().startswith("sep="):
        begin += 1  # Excel's own hint
    layout = None
    if begin is not None and begin < len(lines):
        layout = _with_header(file, lines, begin) or _without_header(file, lines, begin)
    if layout is not None:
        return _label_list(file, layout, lines)
    if not file.required:
        return None
    found = "" if begin is None else ", ".join(c.strip() for c in lines[begin].lower().split(","))
    raise DatasetError(
        "labels_header",
        f"{shown(file.name)} starts with {shown(found) or 'nothing'}.",
        "Its first line must be filename,text, or name its columns in other words that are known: "
        f"{', '.join(IMAGE_COLUMNS[:6])} for the image, {', '.join(TEXT_COLUMNS[:7])} for the "
        "text. Without such a line, each line must begin with the name of an image.",
    )


def _with_header(file: ListFile, lines: Sequence[str], begin: int) -> _Layout | None:
    for delimiter in DELIMITERS:
        header = next(records(lines, begin, delimiter, len(lines[begin]), quoted=True))
        names = [cell.strip().strip("\ufeff").lower() for cell in header.cells]
        while names and not names[-1]:
            names.pop()
        image = image_column(names)
        if len(names) < 2 or image is None:
            continue
        text = text_column(names, image, required=file.required)
        if text is not None:
            return _Layout(delimiter, tuple(names), image, text, begin + 1)
        if several := [name for name in names if name in TEXT_COLUMNS]:
            raise DatasetError(
                "labels_ambiguous",
                f"{shown(file.name)} has several columns that may be the text: "
                f"{', '.join(several)}.",
                "Name the right one text.",
            )
    return None


def _without_header(file: ListFile, lines: Sequence[str], begin: int) -> _Layout | None:
    """Return the layout with which most lines name an image of the set."""
    sample = [line for line in lines[begin : begin + SAMPLED_LINES] if line.strip()]
    best: tuple[int, _Layout] | None = None
    for delimiter in ("\t", ",", ";", SPACES):
        for image, text in ((0, 1), (1, 0)):
            layout = _Layout(delimiter, (), image, text, begin)
            named = sum(
                len(record.cells) > 1 and file.has(record.cells[image].strip())
                for record in replace(layout, first=0).records(sample)
            )
            if 2 * named >= len(sample) and (best is None or named > best[0]):
                best = named, layout
    return best[1] if best else None


def _label_list(file: ListFile, layout: _Layout, lines: Sequence[str]) -> LabelList:
    kind = _kind(file, layout)
    text_of = _label_studio_text if kind == "Label Studio CSV" else text_of_cell
    rows, empty = [], 0
    for record in layout.records(lines):
        if not any(cell.strip() for cell in record.cells):
            empty += record.line < len(lines)  # not the end of the last line
        else:
            rows.append(_row(file, layout, record, text_of))
        if len(rows) > file.most_rows:
            break
    return LabelList(file.name, kind, rows, _notes(file, layout, kind), empty, file.encoding)


def _row(
    file: ListFile, layout: _Layout, record: Record, text_of: Callable[[str], str]
) -> LabelRow:
    cells = record.cells
    given = {name: cells[i].strip() for i, name in enumerate(layout.names[: len(cells)])}
    split, state = given.get("split", ""), given.get("state", "")
    for column, value, known in (("split", split, PART_NAMES), ("state", state, STATES)):
        if value and value.lower() not in known and not record.fault:
            raise DatasetError(
                "labels_column",
                f"{shown(file.name)} line {record.line} has {shown(value)!r} in the column "
                f"{column}.",
                f"It may be {', '.join(known)} or empty; name the column differently if it means "
                "something else.",
            )
    image = cells[layout.image].strip() if layout.image < len(cells) else ""
    return LabelRow(
        manifest=file.name,
        line=record.line,
        filename=file_named(file, image) if image.startswith(ADDRESSES) else image,
        text=text_of(cells[layout.text]) if layout.text < len(cells) else "",
        group=given.get("group", ""),
        part=PART_NAMES.get(split.lower()),
        readable=STATES.get(state.lower(), True),
        fault=record.fault,
    )


def _label_studio_text(cell: str) -> str:
    """Return the text of a text area, which several texts or settings turn into JSON."""
    with_settings = cell.lstrip().startswith(("[", "{"))
    try:
        value = json.loads(cell) if with_settings else cell
    except ValueError:
        return cell
    if isinstance(value, dict):
        value = value.get("text", cell)
    if isinstance(value, list):
        return "\n".join(map(str, value))  # several texts are no label, and are left out as such
    return str(value)


def _kind(file: ListFile, layout: _Layout) -> str:
    names = set(layout.names)
    kinds = (
        (file.base.startswith("metadata."), "Hugging Face metadata"),
        ({"annotation_id", "lead_time"} & names, "Label Studio CSV"),
        ({"image_path", "plate_text"} <= names, "fast-plate-ocr list"),
        ({"filename", "words"} <= names, "EasyOCR list"),
        (not names and layout.delimiter == "\t", "PaddleOCR list"),
        (not names, "list without a header"),
    )
    return next((kind for known, kind in kinds if known), OWN)


def _notes(file: ListFile, layout: _Layout, kind: str) -> tuple[str, ...]:
    notes = []
    usual = {"\t"} if file.base.endswith((".tsv", ".txt")) or file.encoding else {","}
    if layout.delimiter not in usual and kind != "PaddleOCR list":
        notes.append(f"separated by {DELIMITERS[layout.delimiter]}")
    if layout.names and (column := layout.names[layout.text]) != "text":
        notes.append(f"texts in the column {shown(column)}")
    if not layout.names and layout.image:
        notes.append("the text before the name")
    return tuple(notes)
