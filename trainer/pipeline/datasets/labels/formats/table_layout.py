"""Finds out where a table in text has its images and texts: by its first line, or by its rows."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shared.errors import DatasetError
from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.label_list import (
    ListFile,
    UnclearListError,
    column_name,
    image_column,
    text_column,
)
from trainer.pipeline.datasets.labels.formats.records import SPACES, Record, records
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.schemas.labels import TEXT_COLUMNS

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", SPACES: "spaces"}
SAMPLED_LINES = 200
"""So many lines tell whether a file without a header is a list."""
MOST = 0.9
"""The share of the rows that have as many fields, where these are columns."""
_DELIMITER = re.compile("[,;|\t]")


@dataclass(frozen=True)
class Layout:
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
    by_rows: bool = False
    """Whether the rows alone tell which column is which, whatever the first line calls them."""

    @property
    def columns(self) -> int:
        """How many fields a row has."""
        return len(self.names) or 2

    @property
    def quoted(self) -> bool:
        """Whether texts are written as in a CSV."""
        # A list without a known header is as PaddleOCR writes it: its tabs are never quoted.
        unquoted = (SPACES, "\t") if self.by_rows else (SPACES,)
        return self.delimiter not in unquoted

    def records(self, lines: Sequence[str]) -> Iterator[Record]:
        """Yield the records after the header."""
        return records(lines, self.first, self.delimiter, self.columns, quoted=self.quoted)


def find_layout(file: ListFile, lines: Sequence[str], begin: int) -> Layout | None:
    """Return where the table has what that begins at a line, None for no list of images.

    Raises ReadsmithError labels_ambiguous if it is not certain which column holds the texts.
    """
    return _with_header(file, lines, begin) or _without_header(file, lines, begin)


def image_of(file: ListFile, layout: Layout, record: Record) -> str:
    """Return what a record calls its image, empty if it is not certain."""
    cells = [cell.strip() for cell in record.cells]
    image = cells[layout.image] if layout.image < len(cells) else ""
    if record.fault and not file.has(image):
        # A delimiter in the text has moved the name.
        return next(filter(file.has, cells), image)
    if layout.by_rows and _DELIMITER.search(image) and not _is_end(file, image):
        return ""  # it may be a part of the text before the name
    return image


def _with_header(file: ListFile, lines: Sequence[str], begin: int) -> Layout | None:
    for delimiter in DELIMITERS:
        if delimiter == SPACES and _DELIMITER.search(lines[begin]):
            continue
        header = next(records(lines, begin, delimiter, len(lines[begin]), quoted=True))
        names = [column_name(cell) for cell in header.cells]
        while names and not names[-1]:
            names.pop()
        image = image_column(names)
        if len(names) < 2 or image is None or any(is_image(n) and file.has(n) for n in names):
            continue
        text = _text_column(file, names, image)
        if text is not None:
            width = len(header.cells)
            return Layout(delimiter, tuple(names), image, text, begin + 1, width)
    return None


def _text_column(file: ListFile, names: Sequence[str], image: int) -> int | None:
    """Return the column of the text, None if no name is known; raises labels_ambiguous."""
    text = text_column(names, image, required=file.required)
    several = [name for name in names if name in TEXT_COLUMNS]
    if text is None and len(several) > 1:
        raise DatasetError(
            "labels_ambiguous",
            f"{shown(file.name)} has several columns that may be the text: {', '.join(several)}.",
            "Name the right one text.",
        )
    return text


def _without_header(file: ListFile, lines: Sequence[str], begin: int) -> Layout | None:
    """Return the layout with which most lines name an image of the set, as exactly as they can."""
    sample = [line for line in lines[begin : begin + SAMPLED_LINES] if line.strip()]
    if (layout := _of_columns(file, sample, begin)) is not None:
        return layout
    best: tuple[tuple[int, int], Layout] | None = None
    for delimiter in ("\t", ",", ";", "|", SPACES):
        for image, text in ((0, 1), (1, 0)):
            layout = Layout(delimiter, (), image, text, begin, by_rows=True)
            sampled = replace(layout, first=0).records(sample)
            named = _named(file, [image_of(file, layout, r) for r in sampled if len(r.cells) > 1])
            if 2 * named[0] >= len(sample) and (best is None or named > best[0]):
                best = named, layout
            elif best and named == best[0] and delimiter == best[1].delimiter:
                best = named, replace(best[1], either=True)
    return _after_names(file, lines, best[1]) if best else None


def _after_names(file: ListFile, lines: Sequence[str], layout: Layout) -> Layout:
    """Return the layout without the first line, if that names the columns and no image."""
    cells = next(layout.records(lines)).cells
    if len(cells) != layout.columns or layout.first + 2 > len(lines):
        return layout
    names = tuple(map(column_name, cells))
    image = cells[layout.image].strip()
    comment = cells[0].startswith("#")
    if comment or not all(names) or file.has(image) or is_image(image):
        return layout
    return replace(layout, names=names, first=layout.first + 1)


def _of_columns(file: ListFile, sample: Sequence[str], begin: int) -> Layout | None:
    """Return the layout of a table of three columns or more, one of which names images.

    Raises UnclearListError if nothing tells which of the others is the text.
    """
    for delimiter in ("\t", ",", ";", "|"):
        cells = [r.cells for r in records(sample, 0, delimiter, len(sample[0]), quoted=True)]
        width, count = Counter(map(len, cells)).most_common(1)[0]
        if width < 3 or count < MOST * len(cells):
            continue
        columns = list(zip(*(row for row in cells if len(row) == width), strict=True))
        named = [sum(file.has(cell.strip()) for cell in column) for column in columns]
        filled = [column for column in columns if any(cell.strip() for cell in column)]
        image = named.index(max(named))
        if 2 * named[image] < len(cells) or len(filled) < 3:
            continue
        names = [column_name(cell) for cell in cells[0]]
        head = columns[image][0].strip()
        if len(names) < width or file.has(head) or is_image(head):
            raise _unnamed(file, width, delimiter)
        if (text := _text_column(file, names, image)) is None:
            others = [shown(name) for at, name in enumerate(names) if name and at != image]
            raise UnclearListError(
                "labels_ambiguous",
                f"{shown(file.name)} has several columns that may be the text: "
                f"{', '.join(others)}.",
                "Name the right one text.",
            )
        return Layout(delimiter, tuple(names), image, text, begin + 1, width, by_rows=True)
    return None


def _unnamed(file: ListFile, width: int, delimiter: str) -> UnclearListError:
    return UnclearListError(
        "labels_ambiguous",
        f"{shown(file.name)} has {width} columns, separated by {DELIMITERS[delimiter]}, and no "
        "first line that names them.",
        "Begin it with one that calls the name of the image filename and its text text. If the "
        f"{DELIMITERS[delimiter]} are in the texts themselves, put the texts in quotation marks.",
    )


def _named(file: ListFile, names: Sequence[str]) -> tuple[int, int]:
    """Return how many names mean a file, and how many of these are the end of its path."""
    return sum(map(file.has, names)), sum(_is_end(file, name) for name in names)


def _is_end(file: ListFile, name: str) -> bool:
    path = file.files.find(file.name, name) if name else None
    return path is not None and f"/{path}".endswith(f"/{name}")
