"""Reads tables in text: CSV, TSV and their kin, with or without a header.

Readsmith's own labels.csv, EasyOCR, fast-plate-ocr, Hugging Face's metadata.csv, Label Studio's
CSV, and PaddleOCR's recognition lists are such tables.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.errors import DatasetError
from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.labels.formats.addresses import ADDRESSES, file_named
from trainer.pipeline.datasets.labels.formats.boxes.columns import box_in
from trainer.pipeline.datasets.labels.formats.label_list import (
    OWN,
    LabelList,
    ListFile,
    image_column,
    text_column,
)
from trainer.pipeline.datasets.labels.formats.records import SPACES, Record, lines_of, records
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, STATES, LabelRow
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.schemas.labels import IMAGE_COLUMNS, TEXT_COLUMNS

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACES: "spaces"}
ESCAPED = "{} texts lose the apostrophe that keeps spreadsheets from running them"
TAILED = (
    "{} rows have empty fields beyond those of the first line, which are not taken for a part of "
    "the text: if a text ends with the delimiter, put it in quotation marks"
)
MARKED = (
    "{} texts are in quotation marks, which count as part of the text: if a program has put them "
    "there, remove them, or separate the columns with commas"
)
HOLLOW = (
    "{} rows hold quotation marks and nothing else: if they end a text of several lines, put all "
    "of it in quotation marks, or leave it out"
)
EITHER = (
    "both columns name images, and the first is taken for the name: say which is which in a first "
    "line, as filename,text"
)
_MARKS = re.compile(r'"(?:[^"]|"")*"')
_DELIMITER = re.compile("[,;|\t]")
SAMPLED_LINES = 200
"""So many lines tell whether a file without a header is a list."""


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
    width: int = 2
    """The fields of the header, empty ones at its end included."""
    either: bool = False
    """Whether both columns name images, so that the other one may be meant."""

    @property
    def columns(self) -> int:
        return len(self.names) or 2

    @property
    def quoted(self) -> bool:
        """Whether texts are written as in a CSV."""
        # A list without a header is as PaddleOCR writes it: its tabs are never quoted.
        return self.delimiter != SPACES and (bool(self.names) or self.delimiter != "\t")

    def records(self, lines: Sequence[str]) -> Iterator[Record]:
        return records(lines, self.first, self.delimiter, self.columns, quoted=self.quoted)


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
        if len(names) < 2 or image is None or any(is_image(n) and file.has(n) for n in names):
            continue
        text = text_column(names, image, required=file.required)
        if text is not None:
            width = len(header.cells)
            return _Layout(delimiter, tuple(names), image, text, begin + 1, width)
        if several := [name for name in names if name in TEXT_COLUMNS]:
            raise DatasetError(
                "labels_ambiguous",
                f"{shown(file.name)} has several columns that may be the text: "
                f"{', '.join(several)}.",
                "Name the right one text.",
            )
    return None


def _without_header(file: ListFile, lines: Sequence[str], begin: int) -> _Layout | None:
    """Return the layout with which most lines name an image of the set, as exactly as they can."""
    sample = [line for line in lines[begin : begin + SAMPLED_LINES] if line.strip()]
    best: tuple[tuple[int, int], _Layout] | None = None
    for delimiter in ("\t", ",", ";", "|", SPACES):
        for image, text in ((0, 1), (1, 0)):
            layout = _Layout(delimiter, (), image, text, begin)
            sampled = replace(layout, first=0).records(sample)
            named = _named(file, [_image(file, layout, r) for r in sampled if len(r.cells) > 1])
            if 2 * named[0] >= len(sample) and (best is None or named > best[0]):
                best = named, layout
            elif best and named == best[0] and delimiter == best[1].delimiter:
                best = named, replace(best[1], either=True)
    return best[1] if best else None


def _named(file: ListFile, names: Sequence[str]) -> tuple[int, int]:
    """Return how many names mean a file, and how many of these are the end of its path."""
    return sum(map(file.has, names)), sum(_is_end(file, name) for name in names)


def _is_end(file: ListFile, name: str) -> bool:
    path = file.files.find(file.name, name) if name else None
    return path is not None and f"/{path}".endswith(f"/{name}")


def _image(file: ListFile, layout: _Layout, record: Record) -> str:
    """Return what a record calls its image, empty if it is not certain."""
    cells = [cell.strip() for cell in record.cells]
    image = cells[layout.image] if layout.image < len(cells) else ""
    if record.fault and not file.has(image):
        # A delimiter in the text has moved the name.
        return next(filter(file.has, cells), image)
    if not layout.names and _DELIMITER.search(image) and not _is_end(file, image):
        return ""  # without a header, it may be a part of the text before the name
    return image


def _label_list(file: ListFile, layout: _Layout, lines: Sequence[str]) -> LabelList:
    kind = _kind(file, layout)
    text_of = _text_reader(kind, layout)
    rows, empty = [], 0
    odd: dict[str, list[int]] = {}
    for record in layout.records(lines):
        if not any(cell.strip() for cell in record.cells):
            empty += record.line < len(lines)  # not the end of the last line
            if '"' in lines[record.line - 1]:
                odd.setdefault(HOLLOW, []).append(record.line)
        else:
            rows.append(_row(file, layout, record, text_of))
            for what in _oddities(layout, record, rows[-1].text):
                odd.setdefault(what, []).append(record.line)
        if len(rows) > file.most_rows:
            break
    notes = (*_notes(file, layout, kind), *_counted(odd, ESCAPED))
    doubts = [EITHER] if layout.either else []
    doubts += [doubt for what in (TAILED, MARKED, HOLLOW) for doubt in _counted(odd, what)]
    warnings = tuple(f"{shown(file.name)}: {doubt}." for doubt in doubts)
    return LabelList(file.name, kind, rows, notes, empty, file.encoding, warnings)


def _text_reader(kind: str, layout: _Layout) -> Callable[[str], str]:
    if kind == "Label Studio CSV":
        return _label_studio_text
    return text_of_cell if layout.quoted else str


def _oddities(layout: _Layout, record: Record, text: str) -> Iterator[str]:
    """Yield in which way a text may be another than what its list says."""
    if record.fault:
        return
    if len(record.cells) > layout.width:
        yield TAILED
    if layout.text < len(record.cells) and record.cells[layout.text] == f"'{text}":
        yield ESCAPED
    if not layout.quoted and _MARKS.fullmatch(text.strip()):
        yield MARKED


def _counted(odd: Mapping[str, Sequence[int]], what: str) -> Iterator[str]:
    if lines := odd.get(what):
        yield f"{what.format(len(lines))} (line {lines[0]})"


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
    image = _image(file, layout, record)
    box, fault = box_in(given)
    return LabelRow(
        manifest=file.name,
        line=record.line,
        filename=file_named(file, image) if image.startswith(ADDRESSES) else image,
        text=text_of(cells[layout.text]) if layout.text < len(cells) else "",
        group=text_of_cell(given.get("group", "")),
        part=PART_NAMES.get(split.lower()),
        readable=STATES.get(state.lower(), True),
        fault=record.fault or fault,
        box=box,
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
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return "\n".join(value)  # several texts are no label, and are left out as such
    return value if isinstance(value, str) else cell


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
