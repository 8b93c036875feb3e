"""Reads lists in JSON and JSON lines: docTR, Hugging Face, Roboflow, Label Studio's JSON-MIN."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from shared.errors import DatasetError
from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.addresses import file_named
from trainer.pipeline.datasets.labels.formats.boxes.columns import box_in
from trainer.pipeline.datasets.labels.formats.boxes.marks import several_texts
from trainer.pipeline.datasets.labels.formats.label_list import (
    LabelList,
    ListFile,
    column_name,
    image_column,
    text_column,
)
from trainer.pipeline.datasets.labels.formats.records import lines_of
from trainer.pipeline.datasets.labels.label_row import (
    PART_NAMES,
    STATES,
    LabelRow,
    labelling_of,
    part_column,
)
from trainer.schemas.labels import TEXT_COLUMNS

SAMPLED_OBJECTS = 100
"""The keys of so many tell which one is the image and which one the text."""


def read_json(file: ListFile) -> LabelList | None:
    """Read a list in JSON; raises ReadsmithError labels_unreadable, labels_ambiguous."""
    if not file.base.endswith((".json", ".jsonl", ".ndjson")):
        return None
    try:
        rows, kind = _rows(file)
        found = list(islice(rows, file.most_rows + 1))
    except (ValueError, RecursionError) as error:
        if not file.required:
            return None
        raise DatasetError(
            "labels_unreadable",
            f"{shown(file.name)} is not the JSON of a list that is known: {shown(str(error))}.",
            'Give {"0001.png": "AB12"}, or [{"image": "0001.png", "text": "AB12"}].',
        ) from error
    return LabelList(file.name, kind, found, encoding=file.encoding)


class _Object(dict[str, Any]):
    """An object as it is written: of two texts for one name, Python would keep the last."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _rows(file: ListFile) -> tuple[Iterator[LabelRow], str]:
    if not file.base.endswith(".json"):
        return _of_lines(file)
    try:
        value = json.loads(file.text, object_pairs_hook=_Object)
    except ValueError as error:
        if "Extra data" not in str(error):
            raise
        return _of_lines(file)
    if isinstance(value, _Object) and value and all(isinstance(v, str) for v in value.values()):
        return _of_names(file, value.pairs), "docTR labels"
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        exported = any(str(v.get("image", "")).startswith("/data/") for v in value[:10])
        kind = "Label Studio JSON" if exported else "list in JSON"
        return _of_objects(file, list(enumerate(value, 1)), "entry"), kind
    raise ValueError("it lists no texts by image")


def _of_lines(file: ListFile) -> tuple[Iterator[LabelRow], str]:
    objects = []
    for number, line in enumerate(lines_of(file.text), 1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(value, dict):
                raise ValueError(f"line {number} is no object")
            objects.append((number, value))
    if not objects:
        raise ValueError("it is empty")
    first = objects[0][1]
    if {"image", "suffix"} <= first.keys():
        kind = "Roboflow JSONL"
    else:
        kind = "Hugging Face metadata" if "file_name" in first else "list in JSON lines"
    return _of_objects(file, objects, "line"), kind


def _of_names(file: ListFile, texts: Sequence[tuple[str, str]]) -> Iterator[LabelRow]:
    for number, (name, text) in enumerate(texts, 1):
        yield LabelRow(file.name, number, name, text, unit="entry")


def _of_objects(
    file: ListFile, objects: Sequence[tuple[int, Mapping[str, Any]]], unit: str
) -> Iterator[LabelRow]:
    """Yield the rows of objects with a key for the image and one for the text."""
    first = (value for _, value in objects[:SAMPLED_OBJECTS])
    image, text = _keys(file, list(dict.fromkeys(key for value in first for key in value)))
    values = objects[0][1]
    part = part_column(list(values), list(values.values()))
    for number, value in objects:
        row = LabelRow(file.name, number, file_named(file, value.get(image)), "", unit=unit)
        row = replace(row, part=PART_NAMES.get(str(value.get(part) or "").strip().lower()))
        yield _with_text(row, value.get(text, ""), value)


def _keys(file: ListFile, originals: Sequence[str]) -> tuple[str, str]:
    names = [column_name(key) for key in originals]
    image = image_column(names)
    text = None if image is None else text_column(names, image, required=file.required)
    if image is not None and text is not None:
        return originals[image], originals[text]
    several = [name for name in names if name in TEXT_COLUMNS]
    if image is not None and len(several) > 1:
        raise DatasetError(
            "labels_ambiguous",
            f"{shown(file.name)} has several keys that may be the text: {', '.join(several)}.",
            "Name the right one text.",
        )
    raise ValueError("it has no keys for the image and its text, as image and text")


def _with_text(row: LabelRow, text: object, value: Mapping[str, Any]) -> LabelRow:
    state = str(value.get("state") or "").lower()
    box, fault = box_in({key.lower(): each for key, each in value.items()})
    row = replace(
        row,
        box=box,
        fault=fault,
        group=str(value.get("group") or ""),
        readable=STATES.get(state, True),
        labelling=labelling_of(value),
    )
    texts = [text] if isinstance(text, str) else text
    if fault:
        return row
    if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str):
        return replace(row, text=texts[0])
    if text is None or texts == []:
        return row
    if isinstance(texts, list):
        return replace(row, fault=several_texts(len(texts)))
    # 0815 in JSON is 815: its zeros are gone, and so may be digits.
    return replace(row, fault=f"has {shown(json.dumps(text))} instead of a text in quotation marks")
