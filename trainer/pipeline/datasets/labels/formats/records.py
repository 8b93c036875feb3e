"""Cuts delimited text into records, and tells which of them quoting makes uncertain."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainer.pipeline.datasets.sources.image_files import IMAGE_ENDINGS, is_image

LONGEST_CELL = 20
"""Lines; a quotation mark that is not closed would otherwise swallow the rest of the file."""
SPACES = " "
"""The delimiter of columns that one or more spaces separate."""
_CALLED = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_NAME_AND_TEXT = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, sorted(IMAGE_ENDINGS)))}))[ \t]+(.*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record."""

    line: int
    cells: list[str]
    fault: str = ""
    """Why the cells are not certain."""


def lines_of(text: str) -> list[str]:
    """Return the lines, by the line ends that text files have, and none of Unicode's others."""
    return re.split(r"\r\n|\r|\n", text)


def records(
    lines: Sequence[str], first: int, delimiter: str, columns: int, *, quoted: bool
) -> Iterator[Record]:
    """Yield the records from the line of index `first` on.

    quoted: whether quotation marks keep a delimiter within a cell, as in a CSV.
    """
    at = first
    while at < len(lines):
        line, taken, fault = lines[at], 1, ""
        if delimiter == SPACES:
            cells = _two_cells(line)
        elif quoted and '"' in line:
            cells, taken, fault = _unquoted(lines, at, delimiter, columns)
        else:
            cells = line.split(delimiter)
        yield Record(at + 1, cells, fault or _surplus(cells, columns, delimiter))
        at += taken


def _two_cells(line: str) -> list[str]:
    # As far as the name's ending: names and texts hold spaces, too.
    line = line.strip()
    if match := _NAME_AND_TEXT.fullmatch(line):
        return [match[1], match[2]]
    if is_image(line):
        at = max(line.rfind(" "), line.rfind("\t"))
        return [line[:at], line[at + 1 :]] if at > 0 else [line]
    return re.split(r"[ \t]+", line, maxsplit=1)


def _surplus(cells: list[str], columns: int, delimiter: str) -> str:
    if len(cells) <= columns or not any(cell.strip() for cell in cells[columns:]):
        return ""
    return (
        f"has {len(cells)} fields instead of {columns}: if the text itself holds a "
        f"{_CALLED[delimiter]}, put it in quotation marks"
    )


def _unquoted(
    lines: Sequence[str], at: int, delimiter: str, columns: int
) -> tuple[list[str], int, str]:
    """Return a record's cells, how many lines it takes, and what is wrong with its quotes."""
    for taken in range(1, LONGEST_CELL + 1):
        if at + taken > len(lines):
            break
        try:
            # One record at a time: a mark that is not closed is to swallow no other.
            reader = csv.reader(
                [f"{line}\n" for line in lines[at : at + taken]],
                delimiter=delimiter,
                strict=True,
                skipinitialspace=True,
            )
            return next(reader), taken, ""
        except csv.Error as error:
            if "unexpected end" not in str(error):
                break
        following = lines[at + taken].split(delimiter) if at + taken < len(lines) else []
        if len(following) >= columns or any(is_image(cell.strip(' "')) for cell in following):
            break  # a record of its own
    return (
        lines[at].split(delimiter),
        1,
        "holds a quotation mark that is not closed or not doubled: write a text with quotation "
        'marks as "a ""b"" c"',
    )
