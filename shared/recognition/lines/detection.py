"""Finds the line of text in a photograph: the same code for training and for serving.

The network answers with a map for each corner of the line, a probability for each of its cells and
one for "nowhere". It looks at the whole image first, reduced, and then at the part in which it has
found something: lines that are small in the photograph are so measured as well as large ones.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.lines.corners import Corners, Point, in_reading_order, straighten
from shared.recognition.lines.spec import DetectorSpec

NEAR = 2
"""Cells around the likeliest one that tell, by their mean, where in it a corner is."""
CLOSE = 1.6
"""Times the line's extent: the side of the part that is looked at more closely."""
LOOKS = 3
CLOSER = 0.8
"""A part that is not smaller than this, measured by the one before, shows nothing more."""
DECIMALS = 2
"""Of a corner's place, in pixels: other CPUs round the network's answer differently."""
LEAST_DEVIATION = 1.0
REDUCING_GAP = 3.0
"""Large photographs are first reduced by whole pixels, which is faster."""

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The network, from views (N, side, side, 3) to probabilities (N, 4, cells * cells + 1)."""


class View(NamedTuple):
    """A square part of an image, in its pixels; it may reach beyond its edges."""

    left: float
    top: float
    size: float


class FoundLine(NamedTuple):
    """Where a line is, and the least probability of one of its corners."""

    corners: Corners
    score: float


def find_line(image: Image.Image, spec: DetectorSpec, run: Run) -> FoundLine | None:
    """Return where the line of text is in an opened image, None if there is none to be found."""
    view = whole_view(image.size)
    for _ in range(LOOKS):
        answer = run(to_input(view_of(image, view, spec.side)[np.newaxis]))[0]
        points, score = read_maps(answer, view, spec)
        closer = close_view(points)
        if closer.size > CLOSER * view.size:
            break
        view = closer
    if score < spec.least_score:
        return None
    width, height = image.size
    inside = [
        (round(min(max(x, 0), width), DECIMALS), round(min(max(y, 0), height), DECIMALS))
        for x, y in points
    ]
    try:
        return FoundLine(in_reading_order(inside), score)
    except ValueError:  # corners of different things
        return None


def cut_found(
    image: Image.Image, spec: DetectorSpec, run: Run
) -> tuple[Image.Image, FoundLine] | None:
    """Return the line that is found in an opened image, cut out straight, and where it is."""
    found = find_line(image, spec, run)
    return None if found is None else (straighten(image, found.corners), found)


def whole_view(size: tuple[int, int]) -> View:
    """Return the least view that shows all of an image of this width and height."""
    side = float(max(size))
    return View((size[0] - side) / 2, (size[1] - side) / 2, side)


def close_view(points: Sequence[Point]) -> View:
    """Return a view of points and what is around them."""
    across, down = zip(*points, strict=True)
    extent = max(max(across) - min(across), max(down) - min(down), 4.0)
    x, y, side = (max(across) + min(across)) / 2, (max(down) + min(down)) / 2, CLOSE * extent
    return View(x - side / 2, y - side / 2, side)


def view_of(image: Image.Image, view: View, side: int) -> NDArray[np.uint8]:
    """Return a view, uint8 (side, side, 3), antialiased; its mean where the image has ended."""
    scale = side / view.size
    left, right, *across = _span(view.left, image.width, scale, side)
    top, bottom, *down = _span(view.top, image.height, scale, side)
    part = image.resize(
        (right - left, bottom - top),
        Image.Resampling.BILINEAR,
        (across[0], down[0], across[1], down[1]),
        reducing_gap=REDUCING_GAP,
    )
    pixels = np.asarray(part.convert("RGB"))
    whole = np.empty((side, side, 3), np.uint8)
    whole[:] = np.round(pixels.mean(axis=(0, 1)))
    whole[top:bottom, left:right] = pixels
    return whole


def _span(place: float, length: int, scale: float, side: int) -> tuple[int, int, float, float]:
    """Return which pixels of a view show an image, along one axis, and which part of it."""
    start = min(side - 1, max(0, math.ceil(-place * scale)))
    end = max(start + 1, min(side, math.floor((length - place) * scale)))
    low = min(max(0.0, place + start / scale), length - 1.0)
    return start, end, low, min(float(length), max(low + 1, place + end / scale))


def to_input(views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn views (N, side, side, 3) into the network's input: each with mean 0, deviation 1."""
    values = views.astype(np.float32)
    values -= values.mean(axis=(1, 2, 3), keepdims=True)
    values /= np.maximum(values.std(axis=(1, 2, 3), keepdims=True), np.float32(LEAST_DEVIATION))
    return values


def read_maps(
    answer: NDArray[np.float32], view: View, spec: DetectorSpec
) -> tuple[list[Point], float]:
    """Return the corners that maps (4, cells * cells + 1) tell, and the least sure one's score.

    A corner is the mean place of the likeliest cell and those near it (soft-argmax), its score
    their probability together.
    """
    cells, points, scores = spec.cells, [], []
    for corner in answer[:, :-1].reshape(4, cells, cells):
        row, column = divmod(int(corner.argmax()), cells)
        rows = slice(max(0, row - NEAR), row + NEAR + 1)
        columns = slice(max(0, column - NEAR), column + NEAR + 1)
        near = corner[rows, columns].astype(float)
        total = max(float(near.sum()), 1e-12)
        x = float(
            near.sum(axis=0) @ (np.arange(columns.start, columns.start + near.shape[1]) + 0.5)
        )
        y = float(near.sum(axis=1) @ (np.arange(rows.start, rows.start + near.shape[0]) + 0.5))
        scale = view.size / cells
        points.append((view.left + x / total * scale, view.top + y / total * scale))
        scores.append(min(1.0, total))
    return points, min(scores)
