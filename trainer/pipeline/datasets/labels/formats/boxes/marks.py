"""What tools for marking images have in common: boxes, each with a text or a class."""

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from shared.errors import LabelsNotFoundError
from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.label_list import UnclearListError
from trainer.pipeline.datasets.labels.label_row import LabelRow, Part
from trainer.pipeline.datasets.sources.marked.boxes import Box

TEXT_KEYS = (
    *("text", "transcription", "utf8_string", "caption", "words", "ocr", "plate_text", "plate"),
    *("value", "label"),
)
"""The keys and attributes under which tools give a box its text."""
IGNORED = ("", "###", "*")
"""What stands for a text that cannot be read."""
FAR_APART = 4
"""Times their width: characters that are farther from each other are of different texts."""
DISTINCT = 0.5
"""The share of boxes with a name of their own from which on names are texts, not classes."""


class BoxesWithoutTextsError(UnclearListError, LabelsNotFoundError):
    """Boxes that say where something is, and not what it says."""


def without_texts(where: str, classes: Iterable[str], how: str) -> BoxesWithoutTextsError:
    """Return the error for boxes in a file or files.

    how: the value of --labels with which their classes are taken for texts.
    """
    listed = ", ".join(shown(name, 40) for name in sorted(set(classes))[:5])
    return BoxesWithoutTextsError(
        "labels_not_found",
        f"The boxes in {shown(where)} hold no texts{f', but classes: {listed}' if listed else ''}.",
        "Give each box its text, as an attribute named text; or cut each line of text out as an "
        "image, and list the texts in a labels.csv with the columns filename,text. If the classes "
        f"are the texts, say so: --labels {how}.",
    )


@dataclass(frozen=True)
class Mark:
    """A box that a tool drew, or an image without one."""

    image: str
    """As the list calls it."""
    line: int
    box: Box | None = None
    """None for the whole image."""
    text: str | None = None
    name: str = ""
    """Its class."""
    fault: str = ""
    manifest: str = ""
    """The file that it is from, if that is not the list's own."""
    group: str = ""
    part: Part | None = None
    readable: bool | None = True
    labelling: Mapping[str, str] = field(default_factory=dict)


def rows_of(
    where: str, marks: Sequence[Mark], unit: str, *, how: str, sure: bool
) -> tuple[list[LabelRow], tuple[str, ...]]:
    """Return a row for each text, and how the texts came about.

    how: what says that classes are texts; sure: whether that has been said.
    Raises ReadsmithError labels_not_found for boxes without texts.
    """
    notes: tuple[str, ...] = ()
    classes = [mark.name for mark in marks if mark.box is not None and mark.name]
    if not any(mark.text is not None or (mark.fault and mark.box) for mark in marks):
        if classes and all(len(_composed(name)) == 1 for name in classes):
            marks = list(_assembled(marks))
            notes = ("single characters put together from left to right",)
        elif classes and (sure or len(set(classes)) >= DISTINCT * len(classes)):
            marks = [replace(mark, text=mark.name) if mark.box else mark for mark in marks]
            notes = ("the boxes' classes are the texts",)
        elif any(mark.box is not None for mark in marks):
            raise without_texts(where, classes, how)
    return [_row(where, mark, unit) for mark in _readable(marks)], notes


def _readable(marks: Sequence[Mark]) -> Iterable[Mark]:
    """Return the marks with a text, and of an image without any, the image."""
    readable = [mark for mark in marks if mark.fault or (mark.text or "").strip() not in IGNORED]
    images = {mark.image for mark in readable}
    others = {mark.image: mark for mark in marks if mark.image not in images}
    return [*readable, *(replace(mark, box=None, text="") for mark in others.values())]


def _row(where: str, mark: Mark, unit: str) -> LabelRow:
    return LabelRow(
        manifest=mark.manifest or where,
        line=mark.line,
        filename=mark.image,
        text=mark.text or "",
        fault=mark.fault,
        unit=unit,
        box=mark.box,
        group=mark.group,
        part=mark.part,
        readable=mark.readable,
        labelling=mark.labelling,
    )


def _assembled(marks: Sequence[Mark]) -> Iterable[Mark]:
    """Yield one mark for each image, around its characters from left to right."""
    for _, of_image in groupby(marks, key=lambda mark: mark.image):
        several = list(of_image)
        boxes = sorted(
            ((mark.box, mark.name) for mark in several if mark.box is not None),
            key=lambda one: one[0].left + one[0].right,
        )
        if not boxes:
            yield several[0]
            continue
        fault = "" if _in_one_line([box for box, _ in boxes]) else SCATTERED
        corners = [(x, y) for b, _ in boxes for x, y in ((b.left, b.top), (b.right, b.bottom))]
        around = Box.around(corners, boxes[0][0].frame)
        text = "".join(name for _, name in boxes)
        yield replace(several[0], box=None if fault else around, text=text, fault=fault)


SCATTERED = (
    "has characters in several lines or far apart, so that their order is not certain: give the "
    "text of each line"
)


def _in_one_line(boxes: Sequence[Box]) -> bool:
    """Tell whether boxes of characters, from left to right, follow each other."""
    height = median(box.bottom - box.top for box in boxes)
    width = median(box.right - box.left for box in boxes)
    pairs = list(pairwise(boxes))
    level = all(abs(a.top + a.bottom - b.top - b.bottom) < height for a, b in pairs)
    return level and all(b.left - a.right < FAR_APART * width for a, b in pairs)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name[:8])


def text_in(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the text among a box's keys, None if there is none, and why it is not certain."""
    for key in TEXT_KEYS:
        if (text := value.get(key)) is None:
            continue
        if isinstance(text, str):
            return text, ""
        return None, f"has {shown(json.dumps(text))} instead of a text in quotation marks"
    return None, ""


def several_texts(count: int) -> str:
    """Return why a row with several texts has no label."""
    return f"has {count} texts: an image must show one line, so cut each out as an image"


def objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list in JSON; of anything else, none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: object) -> float:
    """Return a number of a file as such, NaN for anything else."""
    try:
        return float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def frame_of(width: object, height: object) -> tuple[float, float] | None:
    """Return the size that a file gives an image, None if it gives none."""
    size = number(width), number(height)
    return size if min(size) >= 1 and max(size) < 1e9 else None


def turned(
    corners: Sequence[tuple[float, float]], degrees: float, about: tuple[float, float]
) -> list[tuple[float, float]]:
    """Return points after turning them clockwise about one, as y goes down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (
            about[0] + (x - about[0]) * cos - (y - about[1]) * sin,
            about[1] + (x - about[0]) * sin + (y - about[1]) * cos,
        )
        for x, y in corners
    ]


def rectangle(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """Return the corners of a rectangle, from the upper left one clockwise."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
