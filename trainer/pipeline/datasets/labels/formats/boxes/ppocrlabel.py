"""Reads PPOCRLabel's Label.txt: a path, a tab, and the boxes of the image in JSON."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    IGNORED,
    number,
    several_texts,
    text_in,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList, ListFile
from trainer.pipeline.datasets.labels.formats.records import lines_of
from trainer.pipeline.datasets.labels.label_row import LabelRow
from trainer.pipeline.datasets.sources.marked.boxes import Box

NOT_READ = ("filestate.txt",)
"""Files that PPOCRLabel writes beside its list; they name images, too."""

CUTS = "rec_gt.txt"
"""PPOCRLabel's list of the lines that it has cut out itself."""


def read_boxes(file: ListFile) -> LabelList | None:
    """Read a list of boxes; each box with a text is a row."""
    lines = [(n, line) for n, line in enumerate(lines_of(file.text), 1) if line.strip()]
    if not lines or not all(_has_boxes(line) for _, line in lines[:20]):
        return None
    rows = (row for number, line in lines for row in _rows(file, number, line))
    found = list(islice(rows, file.most_rows + 1))
    return LabelList(file.name, "PPOCRLabel list", found, encoding=file.encoding)


def _has_boxes(line: str) -> bool:
    """Tell whether boxes follow the name: [A] is a text, and [{ the begin of boxes, if cut."""
    boxes = line.partition("\t")[2].strip()
    return boxes.startswith("[{") or boxes == "[]"


def _rows(file: ListFile, line: int, content: str) -> Iterator[LabelRow]:
    name, _, boxes = content.partition("\t")
    row = LabelRow(file.name, line, name, "")
    try:
        found = [box for box in json.loads(boxes) if box["transcription"] not in IGNORED]
        rows = [_of_box(row, box) for box in found]
    except (ValueError, TypeError, KeyError, RecursionError):
        yield replace(row, fault="is cut: its boxes are not JSON")
        return
    if len(rows) > 1 and not all(row.box for row in rows):
        yield replace(row, fault=several_texts(len(rows)))
    else:
        yield from rows or [row]


def _of_box(row: LabelRow, box: dict[str, Any]) -> LabelRow:
    text, fault = text_in({"text": box["transcription"]})
    return replace(row, text=text or "", fault=fault, box=_box(box))


def _box(box: dict[str, Any]) -> Box | None:
    """Return the box, None where the whole image is meant; raises ValueError, TypeError."""
    points = [(number(x), number(y)) for x, y in box.get("points") or ()]
    return Box.around(points) if points else None
