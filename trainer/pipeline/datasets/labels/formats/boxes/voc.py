"""Reads Pascal VOC: an XML file of boxes for each image."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.beside import read_text
from trainer.pipeline.datasets.labels.formats.boxes.elements import child_text, root_of
from trainer.pipeline.datasets.labels.formats.boxes.marks import (
    Mark,
    frame_of,
    number,
    rectangle,
    rows_of,
    text_in,
)
from trainer.pipeline.datasets.labels.formats.label_list import LabelList
from trainer.pipeline.datasets.sources.marked.boxes import Box
from trainer.pipeline.datasets.sources.source import ImageSource


def read_voc(source: ImageSource, beside: Mapping[str, str], *, sure: bool) -> LabelList | None:
    """Read the XML files of images, by image; None if the first is no Pascal VOC.

    sure: whether classes are known to be texts. Raises ReadsmithError labels_not_found.
    """
    first = next(iter(beside.values()), None)
    if first is None or not _is_voc(read_text(source, first)):
        return None
    marks = (mark for image, name in beside.items() for mark in _marks(source, image, name))
    found = list(islice(marks, source.limits.files + 1))
    where = PurePosixPath(first).parent.as_posix()
    where = f"the XML files in {where}" if where != "." else "the XML files"
    rows, notes = rows_of(where, found, "object", how="beside", sure=sure)
    return LabelList(where, "Pascal VOC", rows, notes)


def _is_voc(text: str | None) -> bool:
    try:
        return text is not None and root_of(text).tag == "annotation"
    except ValueError:
        return False


def _marks(source: ImageSource, image: str, name: str) -> Iterator[Mark]:
    try:
        root = root_of(read_text(source, name) or "")
    except ValueError as error:
        fault = f"cannot be read as XML: {shown(str(error))}"
        yield Mark(image, 1, fault=fault, manifest=name)
        return
    size = root.find("size")
    frame = (
        None if size is None else frame_of(child_text(size, "width"), child_text(size, "height"))
    )
    place = 0
    for place, each in enumerate(root.iter("object"), 1):
        text, fault = text_in(_given(each))
        box = None
        try:
            box = Box.around(_corners(each), frame)
        except ValueError as error:
            fault = f"cannot be cut out: {shown(str(error))}"
        yield Mark(image, place, box, text, child_text(each, "name"), fault, name)
    if not place:
        yield Mark(image, 1, manifest=name)


def _given(each: Element) -> dict[str, str]:
    """Return an object's attributes and further children, which tools name as they like."""
    given = {
        child.tag.lower(): child.text.strip()
        for child in each
        if child.tag != "name" and child.text and child.text.strip()
    }
    for attribute in each.iter("attribute"):
        given[child_text(attribute, "name").lower()] = child_text(attribute, "value")
    return given


def _corners(each: Element) -> list[tuple[float, float]]:
    box = each.find("bndbox")
    if box is None:
        return []
    left, top, right, bottom = (
        number(child_text(box, side)) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    return rectangle(left, top, right - left, bottom - top)
