"""Draws what the detector learns from: views of photographs, varied as cameras vary them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageStat

from shared.recognition.lines.corners import Corners, Point, perspective
from shared.recognition.lines.detection import View, close_view, whole_view

STORED_SIDE = 400
"""Pixels of a stored photograph, and of what is around its line."""
AROUND = 2.2
"""Times a close view: what is stored around a line, for closer views."""
ABSENT = 0.08
"""Share of views that do not show the line."""
TURN = 25
"""Degrees; the most by which a view is turned."""
TRIES = 10

Chance = np.random.Generator


@dataclass(frozen=True)
class Stored:
    """An image and where the line's corners are in it."""

    image: Image.Image
    corners: Corners | None


@dataclass(frozen=True)
class Photograph:
    """A photograph, and the part around its line, which it shows larger."""

    whole: Stored
    close: Stored | None

    @classmethod
    def of(cls, image: Image.Image, corners: Corners | None) -> "Photograph":
        """Reduce a photograph to what training needs of it."""
        whole = _stored(image, corners, (0, 0, *image.size))
        if corners is None:
            return cls(whole, None)
        view = close_view(corners)
        reach = (AROUND - 1) * view.size / 2
        box = (
            max(0, round(view.left - reach)),
            max(0, round(view.top - reach)),
            min(image.width, round(view.left + view.size + reach)),
            min(image.height, round(view.top + view.size + reach)),
        )
        return cls(whole, _stored(image, corners, box))


def _stored(image: Image.Image, corners: Corners | None, box: tuple[int, int, int, int]) -> Stored:
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(1.0, STORED_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    part = image.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=3.0).convert("RGB")
    if corners is None:
        return Stored(part, None)
    a, b, c, d = (
        ((x - box[0]) * size[0] / width, (y - box[1]) * size[1] / height) for x, y in corners
    )
    return Stored(part, (a, b, c, d))


def draw_view(
    example: Photograph, side: int, chance: Chance
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a view, uint8 (side, side, 3), and the line's corners in it, (4, 2); NaN for none."""
    if example.close is None or chance.random() < ABSENT:
        pixels, corners = _without_line(example.whole, side, chance)
    elif chance.random() < 0.5:
        pixels, corners = _with_line(example.whole, None, side, chance)
    else:
        pixels, corners = _with_line(example.close, (0.75, 1.5), side, chance)
    return _occluded(_lit(pixels, chance), corners, chance), corners


def _with_line(
    stored: Stored, scales: tuple[float, float] | None, side: int, chance: Chance
) -> tuple[Image.Image, NDArray[np.float32]]:
    """Return a view that holds the whole line; scales: of a close view, None for a whole one."""
    assert stored.corners is not None  # noqa: S101 - whose line is asked for
    low, high = scales or (0.75, 1.25)
    around = close_view(stored.corners) if scales else whole_view(stored.image.size)
    for attempt in range(TRIES + 1):
        calm = 1 - attempt / TRIES  # the last view is turned and moved by nothing
        size = around.size * math.exp(chance.uniform(math.log(low), math.log(high)))
        shift = 0.3 * calm * chance.uniform(-size, size, 2)
        view = View(
            around.left + (around.size - size) / 2 + shift[0],
            around.top + (around.size - size) / 2 + shift[1],
            size if attempt < TRIES else around.size,
        )
        corners_of_view = _bent(view, calm * chance.uniform(-TURN, TURN), calm * 0.06, chance)
        found = _seen(stored.corners, corners_of_view, side)
        if found.min() > 1 and found.max() < side - 1:
            break
    else:  # it reaches to the edge of the image, or beyond
        found = np.clip(found, 0, side)
    return _drawn(stored.image, corners_of_view, side), found


def _without_line(
    stored: Stored, side: int, chance: Chance
) -> tuple[Image.Image, NDArray[np.float32]]:
    """Return a view that shows nothing of the line, or, where there is no room, all of it."""
    whole = max(stored.image.size)
    for _ in range(TRIES):
        size = whole * chance.uniform(0.25, 0.6 if stored.corners else 1.2)
        left, top = (
            chance.uniform(-0.2 * size, length - 0.8 * size) for length in stored.image.size
        )
        view = _bent(View(left, top, size), chance.uniform(-TURN, TURN), 0.06, chance)
        if stored.corners is None or not _near(_seen(stored.corners, view, side), side):
            return _drawn(stored.image, view, side), np.full((4, 2), np.nan, np.float32)
    return _with_line(stored, None, side, chance)


def _near(corners: NDArray[np.float32], side: int) -> bool:
    """Tell whether the rectangle around corners reaches into the view."""
    return bool((corners.max(axis=0) > 0).all() and (corners.min(axis=0) < side).all())


def _bent(view: View, degrees: float, bend: float, chance: Chance) -> list[Point]:
    """Return the corners of a view that is turned, and seen from the side."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y, half = view.left + view.size / 2, view.top + view.size / 2, view.size / 2
    moved = chance.uniform(-bend, bend, (4, 2)) * view.size
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)]) + moved
    return [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners.tolist()]


def _frame(side: int) -> list[Point]:
    return [(0, 0), (side, 0), (side, side), (0, side)]


def _seen(corners: Corners, view: Sequence[Point], side: int) -> NDArray[np.float32]:
    """Return where points of an image are in a view of it: (4, 2) in its pixels."""
    matrix = np.array([*perspective(view, _frame(side)), 1]).reshape(3, 3)
    points = matrix @ np.array([(x, y, 1) for x, y in corners]).T
    # Behind the viewer, a point would come back from the other side.
    points[2] = np.where(points[2] > 1e-6, points[2], np.nan)
    return np.asarray(np.nan_to_num(points[:2] / points[2], nan=-1e6).T, np.float32)


def _drawn(image: Image.Image, view: Sequence[Point], side: int) -> Image.Image:
    mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
    data = perspective(_frame(side), view)
    return image.transform(
        (side, side), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR, fillcolor=mean
    )


def _lit(image: Image.Image, chance: Chance) -> NDArray[np.uint8]:
    """Vary light, colour, sharpness and noise."""
    if chance.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, 1.8)))
    image = ImageEnhance.Color(image).enhance(
        0 if chance.random() < 0.1 else chance.uniform(0.3, 1.6)
    )
    values = np.asarray(image, np.float32)
    side = len(values)
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    slope_x, slope_y = chance.uniform(-0.35, 0.35, 2).astype(np.float32)
    shade = (
        1 + slope_x * ramp[np.newaxis, :, np.newaxis] + slope_y * ramp[:, np.newaxis, np.newaxis]
    )
    contrast, tint = chance.uniform(0.6, 1.3), chance.uniform(0.88, 1.12, 3).astype(np.float32)
    values = (values - 128) * (np.float32(contrast) * tint) + np.float32(
        128 + chance.uniform(-35, 35)
    )
    values *= shade
    if chance.random() < 0.5:
        grain = chance.standard_normal(values.shape, np.float32)
        values += grain * np.float32(chance.uniform(1, 12))
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _occluded(
    pixels: NDArray[np.uint8], corners: NDArray[np.float32], chance: Chance
) -> NDArray[np.uint8]:
    """Hide some patches, small beside the line."""
    if chance.random() < 0.6:
        return pixels
    side = len(pixels)
    extent = 0.3 * side if np.isnan(corners).any() else float(np.ptp(corners, axis=0).max())
    for _ in range(chance.integers(1, 4)):
        width, height = chance.uniform(0.05, 0.3, 2) * extent
        left, top = chance.uniform(0, side, 2)
        patch = pixels[int(top) : int(top + height) + 1, int(left) : int(left + width) + 1]
        patch[:] = chance.integers(0, 256, 3)
    return pixels
