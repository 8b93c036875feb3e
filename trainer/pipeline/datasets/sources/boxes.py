"""The part of an image that a box encloses: its name, its pixels, and its file."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from shared.errors import ImageRejectedError
from shared.recognition.preprocessing import formats_of, open_image
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image
from trainer.pipeline.datasets.sources.source import ImageSource

PERCENT = (100.0, 100.0)
"""The frame of boxes in hundredths of the image's width and height."""
MARGIN = 0.05
"""Of a box's height, on each side: boxes are drawn close to the letters, or through their ends."""
LEAST_SIDE = 4
"""Pixels of a box; nothing can be read in a smaller one."""
LEAST_INSIDE = 0.5
"""The share of a box that must be in the image: tools round, and people draw over the edge."""
SAME_ASPECT = 0.02
"""The relative difference up to which two images have the same aspect ratio."""

_NUMBER = r"-?[0-9.]{1,12}"
_NAME = re.compile(rf"(.+)/(pct:)?({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})\.png")

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

    @classmethod
    def around(cls, corners: Sequence[tuple[float, float]], frame: Size | None = None) -> "Box":
        """Return the upright box around points; raises ValueError for none, or no finite ones."""
        if not corners or not all(map(math.isfinite, (v for point in corners for v in point))):
            raise ValueError("its box has no corners that are numbers")
        if frame is not None and not min(frame) > 0:
            frame = None
        across, down = zip(*corners, strict=True)
        return cls(min(across), min(down), max(across), max(down), frame)

    def name_in(self, image: str) -> str:
        """Return the name of what it encloses: the image's, with the region as in IIIF's API.

        (IIIF Image API 3.0, section 4.1: x,y,w,h in pixels, or pct: in hundredths.)
        """
        sides = [self.left, self.top, self.right - self.left, self.bottom - self.top]
        if self.frame is not None:
            sides = [100 * side / self.frame[i % 2] for i, side in enumerate(sides)]
        region = ",".join(f"{round(side, 3):g}" for side in sides)
        return f"{image}/{'pct:' if self.frame else ''}{region}.png"

    def pixels(self, size: Size, decoded: Size) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in a decoded image, with the margin.

        size: the image's own, which differs from a decoded one that was reduced.
        Raises UnusableBoxError.
        """
        frame = self.frame or size
        if frame != PERCENT and not _same_aspect(frame, size):
            raise UnusableBoxError(
                f"was drawn on an image of {_shown(frame)} pixels, and this one has "
                f"{_shown(size)}: save the image as the tool shows it, or draw the box again"
            )
        x, y = decoded[0] / frame[0], decoded[1] / frame[1]
        left, top, right, bottom = self.left * x, self.top * y, self.right * x, self.bottom * y
        width, height = right - left, bottom - top
        if min(width, height) < LEAST_SIDE:
            raise UnusableBoxError(
                f"has {_shown((width, height))} pixels: nothing can be read in it. Draw it around "
                "the whole text"
            )
        inside = (min(right, decoded[0]) - max(left, 0)), (min(bottom, decoded[1]) - max(top, 0))
        if min(inside) < 1 or inside[0] * inside[1] < LEAST_INSIDE * width * height:
            raise UnusableBoxError(
                f"lies outside the image, which has {_shown(size)} pixels: draw it again, or give "
                "the image that it was drawn on"
            )
        margin = max(1.0, MARGIN * height)
        return (
            max(0, math.floor(left - margin)),
            max(0, math.floor(top - margin)),
            min(int(decoded[0]), math.ceil(right + margin)),
            min(int(decoded[1]), math.ceil(bottom + margin)),
        )


def box_named(name: str) -> tuple[str, Box] | None:
    """Return the image and the box that name_in made a name of; None for any other name."""
    if (match := _NAME.fullmatch(name)) is None or not is_image(match[1]):
        return None
    try:
        x, y, width, height = map(float, match.groups()[2:])
    except ValueError:
        return None
    return match[1], Box(x, y, x + width, y + height, PERCENT if match[2] else None)


class MarkedImage:
    """A decoded image that boxes are cut out of; raises ImageRejectedError."""

    def __init__(self, data: bytes) -> None:
        self.image = open_image(data)
        with Image.open(io.BytesIO(data), formats=formats_of(data)) as file:
            width, height = file.size
        turned = (width > height) != (self.image.width > self.image.height)
        self.size: Size = (height, width) if turned else (width, height)
        """As it was before a large photograph was reduced, turned as its EXIF tag says."""

    def cut(self, box: Box) -> Image.Image:
        """Return what a box encloses; raises UnusableBoxError."""
        return self.image.crop(box.pixels(self.size, self.image.size))


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
