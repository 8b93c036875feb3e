"""Reads COCO's JSON, and COCO-Text's and TextOCR's, where annotations hold a text."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    Mark,
    frame_of,
    number,
    objects,
    rectangle,
    rows_of,
    text_in,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList, ListFile
from trainer.pipeline.datasets.sources.marked.boxes import Box


def read_coco(file: ListFile) -> LabelList | None:
    """Read images and annotations; raises ReadsmithError labels_not_found for mere classes."""
    if not file.base.endswith(".json") or '"bbox"' not in file.text:
        return None
    try:
        value = json.loads(file.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    images = _entries(value.get("images", value.get("imgs")))
    annotations = _entries(value.get("annotations", value.get("anns")))
    if not images or not annotations:
        return None
    by_id = {shown(str(image.get("id"))): image for image in images}
    classes = (
        {str(each.get("id")): str(each.get("name")) for each in objects(value["categories"])}
        if "categories" in value
        else {}
    )
    marks = list(islice(_marks(annotations, by_id, classes), file.most_rows + 1))
    rows, notes = rows_of(
        file.name, marks, "annotation", how=f"file:{shown(file.name)}", sure=file.required
    )
    return LabelList(file.name, "COCO annotations", rows, notes, encoding=file.encoding)


def _entries(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list, or of an object by their numbers, as COCO-Text has them."""
    return objects(list(value.values()) if isinstance(value, dict) else value)


def _marks(
    annotations: list[dict[str, Any]],
    images: Mapping[str, dict[str, Any]],
    classes: Mapping[str, str],
) -> Iterator[Mark]:
    ordered = sorted(enumerate(annotations, 1), key=lambda one: str(one[1].get("image_id")))
    for place, annotation in ordered:
        image = images.get(shown(str(annotation.get("image_id"))), {})
        name = image.get("file_name")
        attributes = annotation.get("attributes")
        text, fault = text_in(annotation)
        if text is None and not fault and isinstance(attributes, dict):
            text, fault = text_in({str(key).lower(): v for key, v in attributes.items()})
        try:
            box = _box(annotation, image)
        except (ValueError, TypeError) as error:
            box, fault = None, f"cannot be cut out: {shown(str(error))}"
        yield Mark(
            image=name if isinstance(name, str) else "",
            line=place,
            box=box,
            text=text,
            name=classes.get(str(annotation.get("category_id")), ""),
            fault=fault,
        )


def _box(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> Box:
    """Return the box of an annotation, of its four corners where it has so many.

    Raises ValueError, TypeError.
    """
    frame = frame_of(image.get("width"), image.get("height"))
    for outline in (annotation.get("segmentation"), annotation.get("points")):
        first = outline[0] if isinstance(outline, list) and outline else None
        values = first if isinstance(first, list) else outline
        if isinstance(values, list) and len(values) == 8:
            across, down = map(number, values[::2]), map(number, values[1::2])
            return Box.around(list(zip(across, down, strict=True)), frame)
    x, y, width, height = map(number, annotation.get("bbox") or ())
    return Box.around(rectangle(x, y, width, height), frame)
