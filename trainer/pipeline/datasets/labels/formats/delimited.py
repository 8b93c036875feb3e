"""Reads tables in text: CSV, TSV and their kin, with or without a header.

Readsmith's own labels.csv, EasyOCR, fast-plate-ocr, Hugging Face's metadata.csv, Label Studio's
CSV, and PaddleOCR's recognition lists are such tables.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.errors import DatasetError
from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.labels.formats.addresses import ADDRESSES, file_named
from trainer.pipeline.datasets.labels.formats.boxes.columns import box_in
from trainer.pipeline.datasets.labels.formats.label_list import OWN, LabelList, ListFile
from trainer.pipeline.datasets.labels.formats.records import SPACES, Record, lines_of
from trainer.pipeline.datasets.labels.formats.table_layout import (
    DELIMITERS,
    MOST,
    Layout,
    find_layout,
    image_of,
)
from trainer.pipeline.datasets.labels.label_row import (
    PART_NAMES,
    STATES,
    LabelRow,
    labelling_of,
    part_column,
)
from trainer.schemas.labels import IMAGE_COLUMNS, TEXT_COLUMNS

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
FURTHER = (
    "nearly all texts have {} words{}: if these are columns, name the image and the text in a "
    "first line, as filename and text"
)
ENOUGH = 10
"""Of fewer rows nothing is told by what they have in common."""
MANY_WORDS = 4
"""A line of text that is read seldom has more, and seldom the same number in each image."""


def read_table(file: ListFile) -> LabelList | None:
    """Read a table; raises ReadsmithError labels_header and labels_column."""
    lines = lines_of(file.text)
    begin = next((index for index, line in enumerate(lines) if line.strip()), None)
    if begin is not None and lines[begin].strip().lower().startswith("sep="):
        begin += 1  # Excel's own hint
    layout = None
    if begin is not None and begin < len(lines):
        layout = find_layout(file, lines, begin)
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


def _label_list(file: ListFile, layout: Layout, lines: Sequence[str]) -> LabelList:
    kind = _kind(file, layout)
    text_of = _text_reader(kind, layout)
    split = part_column(layout.names, next(layout.records(lines), Record(0, [])).cells)
    rows, empty = [], 0
    odd: dict[str, list[int]] = {}
    for record in layout.records(lines):
        if not any(cell.strip() for cell in record.cells):
            empty += record.line < len(lines)  # not the end of the last line
            if '"' in lines[record.line - 1]:
                odd.setdefault(HOLLOW, []).append(record.line)
        else:
            rows.append(_row(file, layout, record, text_of, split))
            for what in _oddities(layout, record, rows[-1].text):
                odd.setdefault(what, []).append(record.line)
        if len(rows) > file.most_rows:
            break
    notes = (*_notes(file, layout, kind), *_counted(odd, ESCAPED))
    doubts = [EITHER] if layout.either else []
    if layout.delimiter == SPACES:
        doubts += _further_columns([row.text.split() for row in rows])
    doubts += [doubt for what in (TAILED, MARKED, HOLLOW) for doubt in _counted(odd, what)]
    warnings = tuple(f"{shown(file.name)}: {doubt}." for doubt in doubts)
    return LabelList(file.name, kind, rows, notes, empty, file.encoding, warnings)


def _text_reader(kind: str, layout: Layout) -> Callable[[str], str]:
    if kind == "Label Studio CSV":
        return _label_studio_text
    return text_of_cell if layout.quoted else str


def _oddities(layout: Layout, record: Record, text: str) -> Iterator[str]:
    """Yield in which way a text may be another than what its list says."""
    if record.fault:
        return
    if len(record.cells) > layout.width:
        yield TAILED
    if layout.text < len(record.cells) and record.cells[layout.text] == f"'{text}":
        yield ESCAPED
    if not layout.quoted and _MARKS.fullmatch(text.strip()):
        yield MARKED


def _further_columns(texts: Sequence[list[str]]) -> Iterator[str]:
    """Yield the doubt that spaces separate more columns than a name and a text.

    As in the word lists of IAM: a01-000u-00 ok 154 408 768 27 51 AT A.
    """
    (words, count), *_ = Counter(map(len, texts)).most_common(1) or [(0, 0)]
    if words < 2 or count < max(ENOUGH, MOST * len(texts)):
        return
    columns = zip(*(text for text in texts if len(text) == words), strict=True)
    same = next((column[0] for column in columns if len(set(column)) == 1), None)
    if words > MANY_WORDS or same is not None:
        told = "" if same is None else f", and each of them the word {shown(same, 40)}"
        yield FURTHER.format(words, told)


def _counted(odd: Mapping[str, Sequence[int]], what: str) -> Iterator[str]:
    if lines := odd.get(what):
        yield f"{what.format(len(lines))} (line {lines[0]})"


def _row(
    file: ListFile, layout: Layout, record: Record, text_of: Callable[[str], str], part: str
) -> LabelRow:
    cells = record.cells
    given = {name: cells[i].strip() for i, name in enumerate(layout.names[: len(cells)])}
    split, state = given.get(part, ""), given.get("state", "")
    for column, value, known in ((part, split, PART_NAMES), ("state", state, STATES)):
        if value and value.lower() not in known and not record.fault:
            raise DatasetError(
                "labels_column",
                f"{shown(file.name)} line {record.line} has {shown(value)!r} in the column "
                f"{column}.",
                f"It may be {', '.join(known)} or empty; name the column differently if it means "
                "something else.",
            )
    image = image_of(file, layout, record)
    box, fault = box_in(given)
    return LabelRow(
        manifest=file.name,
        line=record.line,
        filename=file_named(file, image) if image.startswith(ADDRESSES) else image,
        text=text_of(cells[layout.text]) if layout.text < len(cells) else "",
        group=text_of_cell(given.get("group", "")),
        part=PART_NAMES.get(split.lower()),
        readable=STATES.get(state.lower(), True),
        labelling={name: text_of_cell(cell) for name, cell in labelling_of(given).items()},
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


def _kind(file: ListFile, layout: Layout) -> str:
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


def _notes(file: ListFile, layout: Layout, kind: str) -> tuple[str, ...]:
    notes = []
    usual = {"\t"} if file.base.endswith((".tsv", ".txt")) or file.encoding else {","}
    if layout.delimiter not in usual and kind != "PaddleOCR list":
        notes.append(f"separated by {DELIMITERS[layout.delimiter]}")
    if layout.names and (column := layout.names[layout.text]) != "text":
        notes.append(f"texts in the column {shown(column)}")
    if layout.by_rows and layout.names:
        notes.append(f"the columns named by its first line, {shown(', '.join(layout.names))}")
    if not layout.names and layout.image:
        notes.append("the text before the name")
    return tuple(notes)
