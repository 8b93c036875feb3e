"""Reads where a line is from the columns of a table, or the keys of an object."""

import math
from collections.abc import Mapping

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.boxes.marks import number
from trainer.pipeline.datasets.sources.marked.boxes import Box

SIDES = ("left", "top", "right", "bottom")
BOUNDS = ("xmin", "ymin", "xmax", "ymax")
"""The same, as TensorFlow's and Pascal VOC's tables call them."""
CORNERS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
"""From the upper left of the text clockwise."""


def box_in(given: Mapping[str, object]) -> tuple[Box | None, str]:
    """Return the box that a row gives in pixels, None for the whole image, and why it has none.

    given: the row by its columns' names, in lower case.
    """
    for names in (CORNERS, SIDES, BOUNDS):
        if not set(names) <= given.keys() or not any(_filled(given[name]) for name in names):
            continue
        values = [number(given[name]) for name in names]
        for name, value in zip(names, values, strict=True):
            if not math.isfinite(value):
                return None, f"has {shown(str(given[name]))!r} in the column {name}: give pixels"
        if names is not CORNERS:
            left, top, right, bottom = values
            values = [left, top, right, top, right, bottom, left, bottom]
        try:
            return Box.around(list(zip(values[::2], values[1::2], strict=True))), ""
        except ValueError as error:
            return None, f"cannot be cut out: {error}"
    return None, ""


def _filled(value: object) -> bool:
    return value is not None and str(value).strip() != ""
