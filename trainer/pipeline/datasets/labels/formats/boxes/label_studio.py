"""Reads Label Studio's JSON: texts of images, and of regions in them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.addresses import file_named
from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    Mark,
    frame_of,
    number,
    objects,
    rectangle,
    rows_of,
    several_texts,
    turned,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList, ListFile
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, STATES, labelling_of
from trainer.pipeline.datasets.sources.marked.boxes import PERCENT, Box

_TASK_IMAGES = ("image", "ocr")
"""Where Label Studio's templates for images have the address."""
Points = list[tuple[float, float]]


def read_label_studio(file: ListFile) -> LabelList | None:
    """Read an export of tasks; raises ReadsmithError labels_not_found for mere classes."""
    if not file.base.endswith(".json") or '"annotations"' not in file.text:
        return None
    try:
        tasks = json.loads(file.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(tasks, list) or not tasks or len(objects(tasks)) < len(tasks):
        return None
    if "annotations" not in tasks[0] or "data" not in tasks[0]:
        return None
    marks = list(islice(_of_tasks(file, tasks), file.most_rows + 1))
    rows, notes = rows_of(
        file.name, marks, "task", how=f"file:{shown(file.name)}", sure=file.required
    )
    return LabelList(file.name, "Label Studio JSON", rows, notes, encoding=file.encoding)


def _of_tasks(file: ListFile, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Mark]:
    for place, task in enumerate(tasks, 1):
        data = task.get("data")
        data = data if isinstance(data, dict) else {}
        image = task.get("file_upload") or next(
            (data[key] for key in (*_TASK_IMAGES, *data) if _is_path(data.get(key))), None
        )
        mark = Mark(
            file_named(file, image),
            place,
            group=str(data.get("group") or ""),
            part=PART_NAMES.get(str(data.get("split") or "").lower()),
            readable=STATES.get(str(data.get("state") or "").lower(), True),
            labelling=labelling_of(data),
        )
        annotations = [
            annotation
            for annotation in objects(task.get("annotations"))
            if not annotation.get("was_cancelled")
        ]
        for annotation in annotations:
            yield from _of_annotation(mark, objects(annotation.get("result")))
        if not annotations:
            yield mark


def _of_annotation(mark: Mark, results: Sequence[Mapping[str, Any]]) -> Iterator[Mark]:
    """Yield the marks of the regions that have a text or a class, else one of the image."""
    regions: dict[str, list[Mapping[str, Any]]] = {}
    for index, result in enumerate(results):
        # A text area of a region has the region's id.
        regions.setdefault(str(result.get("id") or f"result {index}"), []).append(result)
    marks = [_of_region(mark, region) for region in regions.values()]
    marked = [one for one in marks if one.box is not None]
    if any(one.text or one.fault for one in marked):
        yield from marked
        return
    texts = [text for result in results for text in _texts(result)]
    if texts or not marked:
        fault = several_texts(len(texts)) if len(texts) > 1 else ""
        yield replace(mark, text=texts[0] if texts else None, fault=fault)
    else:
        yield from marked


def _of_region(mark: Mark, results: Sequence[Mapping[str, Any]]) -> Mark:
    texts = [text for result in results for text in _texts(result)]
    box = next((box for result in results if (box := _box(result)) is not None), None)
    classes = [name for result in results for name in _classes(result)]
    return replace(
        mark,
        box=box,
        text=texts[0] if texts else None,
        name=classes[0] if classes else "",
        fault=several_texts(len(texts)) if len(texts) > 1 else "",
    )


def _value(result: Mapping[str, Any]) -> Mapping[str, Any]:
    value = result.get("value")
    return value if isinstance(value, dict) else {}


def _texts(result: Mapping[str, Any]) -> list[str]:
    text = _value(result).get("text")
    texts = text if isinstance(text, list) else [text]
    return [each for each in texts if isinstance(each, str)]


def _classes(result: Mapping[str, Any]) -> list[str]:
    kind = _value(result).get(str(result.get("type")))
    return [each for each in kind if isinstance(each, str)] if isinstance(kind, list) else []


def _box(result: Mapping[str, Any]) -> Box | None:
    """Return a region, in hundredths; None for a result that has none."""
    value = _value(result)
    try:
        if isinstance(points := value.get("points"), list):
            return Box.around([(number(x), number(y)) for x, y in points], PERCENT)
        if {"x", "y", "width", "height"} <= value.keys():
            return Box.around(_corners(result, value), PERCENT)
    except (ValueError, TypeError):
        return None
    return None


def _corners(result: Mapping[str, Any], value: Mapping[str, Any]) -> Points:
    x, y, width, height = (number(value[key]) for key in ("x", "y", "width", "height"))
    corners = rectangle(x, y, width, height)
    size = frame_of(result.get("original_width"), result.get("original_height"))
    degrees = number(value.get("rotation", 0))
    if size is None or not degrees:
        return corners
    # Turned in pixels, which hundredths of a wide image are not.
    pixels = [(a * size[0], b * size[1]) for a, b in corners]
    return [(a / size[0], b / size[1]) for a, b in turned(pixels, degrees, pixels[0])]


def _is_path(value: object) -> bool:
    return isinstance(value, str) and ("/" in value or "." in value)
