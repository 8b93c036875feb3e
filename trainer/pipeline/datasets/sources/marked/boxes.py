"""The part of an image that a box encloses: its name, its pixels, and its file."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from shared.errors import ImageRejectedError
from shared.recognition.lines.corners import (
    MARGIN,
    Corners,
    Point,
    angle,
    in_reading_order,
    size_of,
    straighten,
)
from shared.recognition.preprocessing import open_image, size_as_sent
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image
from trainer.pipeline.datasets.sources.source import ImageSource

PERCENT = (100.0, 100.0)
"""The frame of boxes in hundredths of the image's width and height."""
LEAST_SIDE = 4
"""Pixels of a box; nothing can be read in a smaller one."""
FEW_ROWS = 10
"""Pixels; in fewer rows, hardly a letter can be told from another."""
MOST_TURNED = 60
"""Degrees; a line that is turned by more is rarely meant."""
LARGEST = 1e6
"""Pixels; no side of an image comes near it."""
UPRIGHT = 0.02
"""Of a box's shorter side: corners that are no farther from those of a rectangle are its own."""
OUTSIDE = "have corners outside their image, which are moved to its edge"
TINY = f"are less than {FEW_ROWS} pixels high, in which little can be read"
TURNED = (
    f"are turned by more than {MOST_TURNED} degrees by the order of their corners, which begins at "
    "the upper left of the text and goes clockwise"
)
LEAST_INSIDE = 0.5
"""The share of a box that must be in the image: tools round, and people draw over the edge."""
SAME_ASPECT = 0.02
"""The relative difference up to which two images have the same aspect ratio."""

_NUMBER = r"-?[0-9.]{1,12}"
_NAME = re.compile(rf"(.+)/(pct:)?({_NUMBER}(?:,{_NUMBER}){{3}}|{_NUMBER}(?:,{_NUMBER}){{7}})\.png")

Size = tuple[float, float]
"""Width and height."""


class UnusableBoxError(Exception):
    """A box that cannot be cut out; the message is the end of a sentence about it."""


@dataclass(frozen=True)
class Box:
    """A rectangle around a text."""

    left: float
    top: float
    right: float
    bottom: float
    frame: Size | None = None
    """The size of the image that it was drawn on; None for the size that the image has."""
    corners: tuple[Point, ...] = ()
    """Four points that are no upright rectangle, as they were given; else none."""

    @classmethod
    def around(cls, points: Sequence[Point], frame: Size | None = None) -> "Box":
        """Return the box around points; raises ValueError for none, or none that can be in an
        image.
        """
        values = [value for point in points for value in point]
        if not values or not all(abs(value) <= LARGEST for value in values):  # NaN fails it, too
            raise ValueError(f"its box has no corners that are numbers, up to {LARGEST:,.0f}")
        if frame is not None and not min(frame) > 0:
            frame = None
        across, down = zip(*points, strict=True)
        box = cls(min(across), min(down), max(across), max(down), frame)
        if len(points) == 4 and not box._is_around(points):
            return replace(box, corners=tuple(points))
        return box

    def _is_around(self, points: Sequence[Point]) -> bool:
        """Tell whether four points are its own corners, nearly."""
        near = UPRIGHT * min(self.right - self.left, self.bottom - self.top)
        return all(
            any(math.dist(own, point) <= near for point in points) for own in self._rectangle()
        )

    def _rectangle(self) -> Corners:
        left, top, right, bottom = self.left, self.top, self.right, self.bottom
        return (left, top), (right, top), (right, bottom), (left, bottom)

    def name_in(self, image: str) -> str:
        """Return the name of what it encloses: the image's, with the region as in IIIF's API.

        (IIIF Image API 3.0, section 4.1: x,y,w,h in pixels, or pct: in hundredths.) Of a turned
        one, the x and y of its corners.
        """
        width, height = self.right - self.left, self.bottom - self.top
        sides = [v for point in self.corners for v in point] or [self.left, self.top, width, height]
        if self.frame is not None:
            sides = [100 * side / self.frame[i % 2] for i, side in enumerate(sides)]
        region = ",".join(f"{round(side, 3):g}" for side in sides)
        return f"{image}/{'pct:' if self.frame else ''}{region}.png"

    def corners_in(self, size: Size, decoded: Size) -> Corners:
        """Return its corners in a decoded image, all of them inside it.

        size: the image's own, which differs from a decoded one that was reduced.
        Raises UnusableBoxError.
        """
        corners = self._placed(size, decoded)
        self._require_inside(corners, size, decoded)
        (a, b, c, d) = (
            (min(max(x, 0), decoded[0]), min(max(y, 0), decoded[1])) for x, y in corners
        )
        return a, b, c, d

    def oddities(self, size: Size, decoded: Size) -> Iterator[str]:
        """Yield what a user should look at, of a box that can be cut out."""
        corners = self._placed(size, decoded)
        if any(not (-2 <= x <= decoded[0] + 2 and -2 <= y <= decoded[1] + 2) for x, y in corners):
            yield OUTSIDE
        if min(size_of(corners)) < FEW_ROWS:
            yield TINY
        if abs(angle(corners)) > MOST_TURNED:
            yield TURNED

    def _placed(self, size: Size, decoded: Size) -> Corners:
        """Return its corners in the pixels of a decoded image; raises UnusableBoxError."""
        frame = self.frame or size
        if frame != PERCENT and not _same_aspect(frame, size):
            raise UnusableBoxError(
                f"was drawn on an image of {_shown(frame)} pixels, and this one has "
                f"{_shown(size)}: save the image as the tool shows it, or draw the box again"
            )
        x, y = decoded[0] / frame[0], decoded[1] / frame[1]
        points = [(a * x, b * y) for a, b in self.corners or self._rectangle()]
        width, height = size_of(points)
        if min(width, height) < LEAST_SIDE:
            raise UnusableBoxError(
                f"has {_shown((width, height))} pixels: nothing can be read in it. Draw it around "
                "the whole text"
            )
        try:
            return in_reading_order(points)
        except ValueError as error:
            raise UnusableBoxError(
                f"{error}: give the corners of the text from its upper left one clockwise"
            ) from error

    def _require_inside(self, corners: Corners, size: Size, decoded: Size) -> None:
        """Raise UnusableBoxError unless most of the rectangle around the corners is inside."""
        across, down = zip(*corners, strict=True)
        width, height = max(across) - min(across), max(down) - min(down)
        inside = (
            min(max(across), decoded[0]) - max(min(across), 0),
            min(max(down), decoded[1]) - max(min(down), 0),
        )
        if min(inside) < 1 or inside[0] * inside[1] < LEAST_INSIDE * width * height:
            raise UnusableBoxError(
                f"lies outside the image, which has {_shown(size)} pixels: draw it again, or give "
                "the image that it was drawn on"
            )


def box_named(name: str) -> tuple[str, Box] | None:
    """Return the image and the box that name_in made a name of; None for any other name."""
    if (match := _NAME.fullmatch(name)) is None or not is_image(match[1]):
        return None
    frame = PERCENT if match[2] else None
    try:
        values = [float(value) for value in match[3].split(",")]
        if len(values) == 8:
            return match[1], Box.around(list(zip(values[::2], values[1::2], strict=True)), frame)
    except ValueError:
        return None
    x, y, width, height = values
    return match[1], Box(x, y, x + width, y + height, frame)


class MarkedImage:
    """A decoded image that boxes are cut out of; raises ImageRejectedError."""

    def __init__(self, data: bytes) -> None:
        self.image = open_image(data)
        self.size: Size = size_as_sent(data, self.image)
        """As it was before a large photograph was reduced, turned as its EXIF tag says."""

    def corners(self, box: Box) -> Corners:
        """Return a box's corners in the decoded image; raises UnusableBoxError."""
        return box.corners_in(self.size, self.image.size)

    def oddities(self, box: Box) -> Iterator[str]:
        """Yield what a user should look at, of a box that can be cut out."""
        return box.oddities(self.size, self.image.size)

    def cut(self, box: Box) -> Image.Image:
        """Return what a box encloses, upright, with a margin; raises UnusableBoxError."""
        corners = self.corners(box)
        if box.corners:
            return straighten(self.image, corners)
        (left, top), _, (right, bottom), _ = corners
        margin = max(1.0, MARGIN * (bottom - top))
        return self.image.crop(
            (
                max(0, math.floor(left - margin)),
                max(0, math.floor(top - margin)),
                min(self.image.width, math.ceil(right + margin)),
                min(self.image.height, math.ceil(bottom + margin)),
            )
        )


def png(image: Image.Image) -> bytes:
    """Return an image as a PNG that is quickly written."""
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=1)
    return data.getvalue()


def read_cut(source: ImageSource, image: str, box: Box) -> bytes:
    """Return what a box of an image encloses, as a PNG; raises UnreadableEntryError."""
    try:
        return png(MarkedImage(source.read(image)).cut(box))
    except (ImageRejectedError, UnusableBoxError) as error:
        raise UnreadableEntryError(str(error)) from error


class Span(NamedTuple):
    """Where a file's bytes are in another."""

    offset: int
    size: int


class CutSource:
    """A dataset, and the cuts out of its images, which a file holds one after the other."""

    def __init__(self, dataset: ImageSource, file: Path, cuts: dict[str, Span]) -> None:
        self.limits = dataset.limits
        self._dataset = dataset
        self._file = file
        self._cuts = cuts

    def names(self) -> list[str]:
        """Return the names of both."""
        return sorted({*self._dataset.names(), *self._cuts})

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises UnreadableEntryError."""
        if name not in self._cuts:
            return self._dataset.read(name)
        try:
            with self._file.open("rb", buffering=0) as file:
                file.seek(self._cuts[name].offset)
                return file.read(self._cuts[name].size)
        except OSError as error:
            raise UnreadableEntryError(error.strerror or str(error)) from error


def _same_aspect(a: Size, b: Size) -> bool:
    return abs(a[0] * b[1] - a[1] * b[0]) <= SAME_ASPECT * a[0] * b[1]


def _shown(size: Size) -> str:
    return f"{size[0]:.4g}x{size[1]:.4g}"
