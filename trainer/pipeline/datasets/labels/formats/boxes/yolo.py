"""Reads YOLO: a text file of boxes for each image, and the names of their classes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath

from trainer.pipeline.datasets.labels.formats.beside import read_text
from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    Mark,
    number,
    rectangle,
    rows_of,
    without_texts,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList
from trainer.pipeline.datasets.labels.formats.records import lines_of
from trainer.pipeline.datasets.sources.marked.boxes import PERCENT, Box
from trainer.pipeline.datasets.sources.source import ImageSource

_BOXES = re.compile(r"\d{1,4}( -?\d*\.?\d+(e-?\d+)?){4,}")
SAMPLED_TEXTS = 20
NAME_FILES = ("classes.txt", "obj.names", "predefined_classes.txt")
"""A class in each line, the first is number 0."""
_YAML_NAMES = re.compile(r"^names:[ \t]*(\[.*?\])?", re.MULTILINE | re.DOTALL)
_YAML_ENTRY = re.compile(r"[ \t]*(?:-|(?P<number>\d+):)[ \t]*(?P<name>.*)")


def are_boxes(source: ImageSource, beside: Mapping[str, str]) -> bool:
    """Tell whether the text files beside images hold boxes and no texts."""
    some = (name for _, name in zip(range(SAMPLED_TEXTS), beside.values(), strict=False))
    lines = [(read_text(source, name) or "").strip().split("\n")[0].strip() for name in some]
    filled = [line for line in lines if line]
    return bool(filled) and all(_BOXES.fullmatch(line) for line in filled)


def read_yolo(
    source: ImageSource, beside: Mapping[str, str], names: Sequence[str], *, sure: bool
) -> LabelList:
    """Read the boxes of images, by image.

    sure: whether classes are known to be texts. Raises ReadsmithError labels_not_found.
    """
    classes = _classes(source, names)
    where = "the text files beside the images (YOLO)"
    if not classes:
        raise without_texts(where, (), "beside, with the classes in a classes.txt")
    marks = (
        mark for image, name in beside.items() for mark in _marks(source, image, name, classes)
    )
    found = list(islice(marks, source.limits.files + 1))
    rows, notes = rows_of(where, found, "line", how="beside", sure=sure)
    return LabelList(where, "YOLO boxes", rows, notes)


def _marks(
    source: ImageSource, image: str, name: str, classes: Mapping[int, str]
) -> Iterator[Mark]:
    place = 0
    for place, line in enumerate(lines_of((read_text(source, name) or "").strip()), 1):
        cells = line.split()
        if not cells:
            yield Mark(image, 1, manifest=name)
            continue
        mark = (
            Mark(image, place, manifest=name, name=classes.get(int(cells[0]), ""))
            if (cells[0].isascii() and cells[0].isdigit() and len(cells[0]) < 5)
            else None
        )
        try:
            box = Box.around(_corners([100 * number(cell) for cell in cells[1:]]), PERCENT)
        except ValueError:
            box = None
        if mark is None or not mark.name or box is None:
            fault = "is no box of a class that the list of classes names"
            yield Mark(image, place, manifest=name, fault=fault)
        else:
            yield Mark(image, place, box, name=mark.name, manifest=name)


def _corners(sides: list[float]) -> list[tuple[float, float]]:
    """Return the corners of centre, width and height, or the points of a polygon."""
    if len(sides) in (4, 5):  # a prediction has a confidence, too
        x, y, width, height = sides[:4]
        return rectangle(x - width / 2, y - height / 2, width, height)
    return list(zip(sides[::2], sides[1::2], strict=False))


def _classes(source: ImageSource, names: Sequence[str]) -> dict[int, str]:
    for name in names:
        base = PurePosixPath(name).name.lower()
        if base in NAME_FILES or base.endswith(".names"):
            lines = lines_of((read_text(source, name) or "").rstrip())
            return {n: line.strip() for n, line in enumerate(lines)}
        if base.endswith((".yaml", ".yml")) and (found := _in_yaml(read_text(source, name) or "")):
            return found
    return {}


def _in_yaml(text: str) -> dict[int, str]:
    """Return the classes in YOLO's data.yaml: a list in brackets, or an entry in each line."""
    if (match := _YAML_NAMES.search(text)) is None:
        return {}
    if match[1]:
        try:
            listed = json.loads(match[1].replace("'", '"'))
        except (ValueError, RecursionError):
            listed = [part.strip() for part in match[1].strip("[]").split(",")]
        return {n: str(name) for n, name in enumerate(listed)}
    found: dict[int, str] = {}
    for line in lines_of(text[match.end() :].lstrip("\r\n")):
        if (entry := _YAML_ENTRY.fullmatch(line)) is None:
            break
        number_of = int(entry["number"][:5]) if entry["number"] else len(found)
        found[number_of] = entry["name"].strip().strip("'\"")
    return found
