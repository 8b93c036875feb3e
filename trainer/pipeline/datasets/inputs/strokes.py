"""Measures which height of the input thin strokes survive."""

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

FINEST = 256
"""Rows at which images are compared with what is left of them, at most."""
EDGE = 0.25
"""Strokes are where neighbouring pixels differ by more than this share of the greatest."""
FAINT = 0.6
"""A stroke is lost if less than this share of its difference is left anywhere around."""
LOST = 0.01
"""Share of strokes that may be lost: below it lie blur and noise."""


def least_height(images: Sequence[Image.Image], heights: Sequence[int]) -> int:
    """Return the first height at which hardly a stroke is lost, in the median of the images.

    heights: in rising order; the last if it is lost in all others.
    """
    examined = [_finest(image) for image in images]
    for height in heights[:-1]:
        if np.median([_lost(image, height) for image in examined]) <= LOST:
            return height
    return heights[-1]


def _finest(image: Image.Image) -> Image.Image:
    """Return an image of at most FINEST rows, without specks: the median of each 3x3 pixels."""
    image = image.convert("RGB")
    height = min(FINEST, image.height)
    width = max(1, round(image.width * height / image.height))
    return image.resize((width, height), Image.Resampling.BOX).filter(ImageFilter.MedianFilter(3))


def _lost(image: Image.Image, height: int) -> float:
    if image.height <= height:
        return 0.0
    shrunk = image.resize((max(1, round(image.width * height / image.height)), height), _FILTER)
    before = _range(image, 1)
    after = _range(shrunk.resize(image.size, _FILTER), math.ceil(image.height / height))
    strokes = before > EDGE * np.quantile(before, 0.99)
    return float((after < FAINT * before)[strokes].mean()) if strokes.any() else 0.0


_FILTER = Image.Resampling.BILINEAR
"""As inputs are resized."""


def _range(image: Image.Image, reach: int) -> NDArray[np.uint8]:
    """Return the difference of the extremes so many pixels around each, of the clearest channel."""
    values = np.pad(np.asarray(image), ((reach, reach), (reach, reach), (0, 0)), "edge")
    high, low = values, values
    for axis in (0, 1):
        size = values.shape[axis] - 2 * reach
        shifts = [np.arange(start, start + size) for start in range(2 * reach + 1)]
        high = reduce(np.maximum, (high.take(rows, axis) for rows in shifts))
        low = reduce(np.minimum, (low.take(rows, axis) for rows in shifts))
    found: NDArray[np.uint8] = (high - low).max(axis=2)
    return found
