"""Two rows of text in one image, as on the plates of motorcycles: found, and joined into one line.

Text has edges in most of its columns, the gap between two rows in hardly any, whatever the light.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROWS, COLUMNS = 48, 24
"""Images are examined at this height at most, and their width in so many columns."""
SLOPES = np.array([0.0, *(sign * each / 50 for each in range(1, 7) for sign in (1, -1))])
"""Rises over runs at which the gap may lie, up to 7 degrees; of equally good ones, the first."""
STRONG = 0.95
"""An edge is as clear as it can be above this quantile of an image's."""
FULL = 0.4
"""A column with this share of clear edges is full of text."""
TAIL = 0.04
"""Share of an image's text, at either end, that does not count for its extent."""
LEAST_ROW = 0.25
"""Of the text's height, that either row takes at least."""
FEWEST = 8
"""Rows of pixels that two rows of text take at least."""
FAINT = 0.05
"""Share of a row that a few specks fill: with less, it is no row of text."""
CLEAR = 0.5
"""A gap has less than this share of the text that the emptier of both rows has. Of drawn plates
with two rows all have such a gap, of plates with one row none (decision 0033)."""
AS_EMPTY = 0.05
"""Rows that are so little fuller than the emptiest belong to the gap; the cut is in its middle."""
MARGIN = 0.08
"""Left above and below the text, in shares of its height."""


@dataclass(frozen=True)
class Gap:
    """Where the gap between two rows of text is, and where they begin and end."""

    top: float
    """At the image's middle, as a share of its height; so are middle and bottom."""
    middle: float
    bottom: float
    slope: float
    """Pixels that the rows fall on each pixel to the right."""


def find_gap(image: Image.Image) -> Gap | None:
    """Find the gap between two rows of text; None if there is none, as in a single row."""
    height = min(ROWS, image.height)
    width = min(4 * ROWS, max(2 * COLUMNS, round(image.width * height / image.height)))
    slope, filled = _along_the_rows(_edges(image, (width, height)))
    text = np.cumsum(np.maximum(filled - np.quantile(filled, 0.05), 0) + 1e-9)
    top = int((text < TAIL * text[-1]).sum())
    bottom = int((text < (1 - TAIL) * text[-1]).sum()) + 1
    emptiness = _emptiness(filled, top, bottom)
    emptiest = int(emptiness.argmax())
    if emptiness[emptiest] < CLEAR:
        return None
    empty = emptiness > emptiness[emptiest] - AS_EMPTY
    begin = emptiest + 1 - int(empty[emptiest::-1].argmin())
    end = emptiest + int(empty[emptiest:].argmin())
    return Gap(
        top=top / height,
        middle=(begin + end) / 2 / height,
        bottom=bottom / height,
        slope=slope * (image.height / height) / (image.width / width),
    )


def _edges(image: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how clear an edge is at each pixel of an image of this size, in [0, 1]: (H, W)."""
    small = image.resize(size, Image.Resampling.BOX).convert("RGB")
    values = np.asarray(small, np.float32)
    # Along the line: strokes stand upright, while frames and shadows lie.
    found = np.abs(np.diff(values, axis=1, append=values[:, -1:])).max(axis=2)
    strong = max(float(np.quantile(found, STRONG)), 1.0)
    # Squared: the edges of characters stand out from noise.
    return np.asarray(np.minimum(found / strong, 1) ** 2)


def _along_the_rows(edges: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return the slope of the text and how much of each row along it is full: (H,), in [0, 1].

    At the right slope, text and gaps begin and end most sharply.
    """
    height, width = edges.shape
    fall = np.round(SLOPES[:, np.newaxis] * (np.arange(width) - width / 2)).astype(int)
    rows = np.clip(np.arange(height)[:, np.newaxis] + fall[:, np.newaxis], 0, height - 1)
    starts = np.linspace(0, width, COLUMNS + 1).astype(int)
    columns = np.add.reduceat(edges[rows, np.arange(width)], starts[:-1], axis=2)
    filled = np.minimum(columns / np.diff(starts) / FULL, 1).mean(axis=2)
    best = int((np.diff(filled, axis=1) ** 2).sum(axis=1).argmax())
    return float(SLOPES[best]), filled[best]


def _emptiness(filled: NDArray[np.float32], top: int, bottom: int) -> NDArray[np.float64]:
    """Return how much less text each row has than those above or below it: (H,), at most 1.

    Minus infinity where no gap can be.
    """
    at = np.arange(len(filled))
    margin = round(LEAST_ROW * (bottom - top))
    inside = (at >= top + margin) & (at < bottom - margin) & (bottom - top >= FEWEST)
    total = np.concatenate([[0.0], np.cumsum(filled)])
    above = (total[:-1] - total[top]) / np.maximum(at - top, 1)
    below = (total[bottom] - total[1:]) / np.maximum(bottom - at - 1, 1)
    fuller = np.minimum(above, below)
    return np.where(inside, (fuller - filled) / np.maximum(fuller, FAINT), -np.inf)


def join_rows(image: Image.Image, gap: Gap, *, right_to_left: bool = False) -> Image.Image:
    """Return both rows beside each other, equally high and as wide as the image, in its mode.

    right_to_left: whether the upper one comes to the right.
    """
    margin = MARGIN * (gap.bottom - gap.top)
    top, bottom = max(0.0, gap.top - margin), min(1.0, gap.bottom + margin)
    height = max(1, round((bottom - top) / 2 * image.height))
    line = Image.new(image.mode, (2 * image.width, height))
    bands = (top, gap.middle), (gap.middle, bottom)
    for (begin, end), place in zip(bands, (1, 0) if right_to_left else (0, 1), strict=True):
        row = _cut(image, begin * image.height, end * image.height, height, gap.slope)
        line.paste(row, (place * image.width, 0))
    return line


def _cut(image: Image.Image, begin: float, end: float, height: int, slope: float) -> Image.Image:
    """Cut out a band that falls with the slope; begin and end: pixels at the image's middle."""
    scale = (end - begin) / height
    lift = begin - slope * image.width / 2
    return image.transform(
        (image.width, height),
        Image.Transform.AFFINE,
        (1, 0, 0, slope, scale, lift),
        Image.Resampling.BILINEAR,
        fillcolor=_mean(image),
    )


def _mean(image: Image.Image) -> int | tuple[int, ...]:
    colour = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return tuple(map(int, colour)) if isinstance(colour, tuple) else int(colour or 0)
