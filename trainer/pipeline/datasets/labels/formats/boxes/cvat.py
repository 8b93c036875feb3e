"""Reads CVAT's XML for images, where shapes hold a text."""

from collections.abc import Iterator
from itertools import islice
from xml.etree.ElementTree import Element

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.boxes.elements import root_of
from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    Mark,
    frame_of,
    number,
    rectangle,
    rows_of,
    text_in,
    turned,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList, ListFile
from trainer.pipeline.datasets.sources.marked.boxes import Box

SHAPES = ("box", "polygon")


def read_cvat(file: ListFile) -> LabelList | None:
    """Read the shapes of images; raises ReadsmithError labels_not_found for mere classes."""
    if not file.base.endswith(".xml") or "<image " not in file.text:
        return None
    try:
        root = root_of(file.text)
    except ValueError:
        return None
    if root.tag != "annotations":
        return None
    marks = list(islice(_marks(root), file.most_rows + 1))
    rows, notes = rows_of(
        file.name, marks, "shape", how=f"file:{shown(file.name)}", sure=file.required
    )
    return LabelList(file.name, "CVAT annotations", rows, notes, encoding=file.encoding)


def _marks(root: Element) -> Iterator[Mark]:
    place = 0
    for image in root.iter("image"):
        frame = frame_of(image.get("width"), image.get("height"))
        for shape in image:
            if shape.tag not in SHAPES:
                continue
            place += 1
            given = {
                str(each.get("name")).lower(): each.text or "" for each in shape.iter("attribute")
            }
            text, fault = text_in(given)
            box = None
            try:
                box = Box.around(_corners(shape), frame)
            except ValueError as error:
                fault = f"cannot be cut out: {shown(str(error))}"
            yield Mark(
                image.get("name", ""), place, box, text, shape.get("label", "").strip(), fault
            )


def _corners(shape: Element) -> list[tuple[float, float]]:
    if shape.tag == "polygon":
        points = (point.partition(",") for point in shape.get("points", "").split(";"))
        return [(number(x), number(y)) for x, _, y in points]
    left, top, right, bottom = (number(shape.get(side)) for side in ("xtl", "ytl", "xbr", "ybr"))
    corners = rectangle(left, top, right - left, bottom - top)
    centre = (left + right) / 2, (top + bottom) / 2
    return turned(corners, number(shape.get("rotation", "0")), centre)
