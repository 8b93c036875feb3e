"""Reads PPOCRLabel's Label.txt: a path, a tab, and the boxes of the image in JSON."""

import json
from collections.abc import Iterator
from itertools import islice

from trainer.pipeline.datasets.labels.formats.json_lists import several_texts
from trainer.pipeline.datasets.labels.formats.label_list import LabelList, ListFile
from trainer.pipeline.datasets.labels.formats.records import lines_of
from trainer.pipeline.datasets.labels.label_row import LabelRow

NOT_READ = ("filestate.txt",)
"""Files that PPOCRLabel writes beside its list; they name images, too."""


def read_boxes(file: ListFile) -> LabelList | None:
    """Read a list of boxes; the text of an image with one box is its label."""
    lines = [(n, line) for n, line in enumerate(lines_of(file.text), 1) if line.strip()]
    if not lines or not all(_has_boxes(line) for _, line in lines[:20]):
        return None
    rows = list(islice(_rows(file, lines), file.most_rows + 1))
    return LabelList(file.name, "PPOCRLabel list", rows, encoding=file.encoding)


def _has_boxes(line: str) -> bool:
    """Tell whether boxes follow the name: [A] is a text, and [{ the begin of boxes, if cut."""
    boxes = line.partition("\t")[2].strip()
    return boxes.startswith("[{") or boxes == "[]"


def _rows(file: ListFile, lines: list[tuple[int, str]]) -> Iterator[LabelRow]:
    for number, line in lines:
        name, _, boxes = line.partition("\t")
        texts, fault = _texts(boxes)
        if len(texts) > 1:
            fault = several_texts(len(texts))
        yield LabelRow(file.name, number, name, texts[0] if texts else "", fault=fault)


def _texts(boxes: str) -> tuple[list[str], str]:
    try:
        found = json.loads(boxes)
        return [box["transcription"] for box in found if box["transcription"] != "###"], ""
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], "is cut: its boxes are not JSON"
