"""A line of text in a photograph: its four corners, and the image that is cut out by them."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageStat

Point = tuple[float, float]
"""In pixels, y goes down; (0, 0) is the image's upper left corner, not the centre of a pixel."""
Corners = tuple[Point, Point, Point, Point]
"""As the text is read: its upper left, upper right, lower right, lower left."""

MARGIN = 0.05
"""Of a line's height, on each side: corners are set close to the letters, or through their ends."""
LONGEST_CUT, LARGEST_CUT = 4096, 2_000_000
"""Pixels of a side, and in all; no network takes more. Larger lines are reduced as they are cut."""
CLEARLY_LONGER = 1.5
"""A line whose sides differ by less may be a single character, whose long side may be its height"""


def in_reading_order(points: Sequence[Point]) -> Corners:
    """Return four points as corners; raises ValueError if they enclose no convex area.

    Their order stands where it can be one of a text: clockwise, along the text first, which may
    be upside down. Any other says nothing of the text, which then reads to the right.
    """
    around = _clockwise(points)
    if not _is_convex(around):
        raise ValueError("has corners that enclose no area with four sides")
    turns = [around[i:] + around[:i] for i in range(4)]
    given = next((turn for turn in turns if turn == list(points)), None)
    along = [turn for turn in turns if _length(turn[0], turn[1]) >= _length(turn[1], turn[2])]
    square = max(size_of(turns[0])) < CLEARLY_LONGER * min(size_of(turns[0]))
    if given is not None and (given in along or abs(angle(given)) <= 45):
        chosen = given
    else:
        chosen = min(turns if square else along, key=lambda turn: abs(angle(turn)))
    first, second, third, fourth = chosen
    return first, second, third, fourth


def _clockwise(points: Sequence[Point]) -> list[Point]:
    """Return the points in the order in which they lie around their middle, clockwise."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sorted(points, key=lambda point: math.atan2(point[1] - y, point[0] - x))


def _is_convex(points: Sequence[Point]) -> bool:
    """Tell whether points, clockwise, turn right at each of them."""
    ring = [*points, *points]
    return all(_cross(ring[i], ring[i + 1], ring[i + 2]) > 0 for i in range(len(points)))


def _cross(a: Point, b: Point, c: Point) -> float:
    """Return twice the area of a triangle; positive if it goes clockwise."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _length(a: Point, b: Point) -> float:
    return math.hypot(b[0] - a[0], b[1] - a[1])


def size_of(corners: Sequence[Point]) -> tuple[float, float]:
    """Return a line's width and height in pixels: the longer of two opposite sides each."""
    a, b, c, d = corners
    return max(_length(a, b), _length(d, c)), max(_length(a, d), _length(b, c))


def angle(corners: Sequence[Point]) -> float:
    """Return by how many degrees a line is turned clockwise, -180 to 180."""
    a, b, c, d = corners
    return math.degrees(math.atan2(b[1] + c[1] - a[1] - d[1], b[0] + c[0] - a[0] - d[0]))


def straighten(image: Image.Image, corners: Corners) -> Image.Image:
    """Return the line between corners, straightened by perspective, with a margin.

    What lies outside the image has the image's mean.
    """
    across, down = size_of(corners)
    margin = MARGIN * down
    longest, area = max(across, down) + 2 * margin, (across + 2 * margin) * (down + 2 * margin)
    scale = min(1.0, LONGEST_CUT / longest, math.sqrt(LARGEST_CUT / area))
    edge = max(1.0, margin * scale)
    right, bottom = edge + max(1.0, across * scale), edge + max(1.0, down * scale)
    size = math.ceil(right + edge), math.ceil(bottom + edge)
    target = ((edge, edge), (right, edge), (right, bottom), (edge, bottom))
    mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
    return image.transform(
        size,
        Image.Transform.PERSPECTIVE,
        perspective(target, corners),
        Image.Resampling.BICUBIC,
        fillcolor=mean[0] if len(mean) == 1 else mean,
    )


def perspective(start: Sequence[Point], end: Sequence[Point]) -> list[float]:
    """Return the eight coefficients of the projection that takes four points to four others.

    As in Pillow and TensorFlow: x' = (a x + b y + c) / (g x + h y + 1), y' = (d x + e y + f) / …
    """
    rows, values = [], []
    for (x, y), (u, v) in zip(start, end, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    found: list[float] = np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist()
    return found


def scaled(corners: Corners, factor: float) -> Corners:
    """Return corners in an image that is larger by a factor, to a hundredth of a pixel."""
    a, b, c, d = ((round(x * factor, 2), round(y * factor, 2)) for x, y in corners)
    return a, b, c, d


def overlap(one: Corners, other: Corners) -> float:
    """Return the intersection over union of two convex quadrilaterals, 0 to 1."""
    common = _area(_clipped(one, _clockwise(other)))
    union = _area(one) + _area(other) - common
    return common / union if union > 0 else 0.0


def _area(points: Sequence[Point]) -> float:
    pairs = zip(points, [*points[1:], *points[:1]], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def _clipped(points: Iterable[Point], window: Sequence[Point]) -> list[Point]:
    """Return the part of a polygon that is inside a convex one, clockwise (Sutherland-Hodgman)."""
    inside = list(points)
    for a, b in zip(window, [*window[1:], *window[:1]], strict=True):
        ring, inside = inside, []
        for i, point in enumerate(ring):
            before = ring[i - 1]
            side, side_before = _cross(a, b, point), _cross(a, b, before)
            if side * side_before < 0:
                share = side_before / (side_before - side)
                inside.append(
                    (
                        before[0] + share * (point[0] - before[0]),
                        before[1] + share * (point[1] - before[1]),
                    )
                )
            if side >= 0:
                inside.append(point)
    return inside
