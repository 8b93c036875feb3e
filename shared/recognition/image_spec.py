"""How an image becomes a model's input."""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Direction = Literal["ltr", "rtl"]
Rows = Literal[1, 2]

WIDTH_STEP = 32
"""Pixels; inputs that follow their image's width are multiples of it, so that images of similar
width share a batch."""


class Region(BaseModel):
    """The part of every image that holds the text; sides as shares of its width and height."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    left: float = Field(ge=0, lt=1)
    top: float = Field(ge=0, lt=1)
    right: float = Field(gt=0, le=1)
    bottom: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be below right, and top below bottom")
        return self

    def part(self, inner: "Region | None") -> "Region":
        """Return a region of this one as a region of the whole image; None: all of it."""
        if inner is None:
            return self
        width, height = self.right - self.left, self.bottom - self.top
        return Region(
            left=round(self.left + inner.left * width, 4),
            top=round(self.top + inner.top * height, 4),
            right=round(self.left + inner.right * width, 4),
            bottom=round(self.top + inner.bottom * height, 4),
        )

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels of an image of this width and height."""
        width, height = size
        left, top = math.floor(self.left * width), math.floor(self.top * height)
        right, bottom = math.ceil(self.right * width), math.ceil(self.bottom * height)
        return left, top, max(left + 1, right), max(top + 1, bottom)


WHOLE = Region(left=0.0, top=0.0, right=1.0, bottom=1.0)


class ImageSpec(BaseModel):
    """How an image becomes a model's input; part of the manifest."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    height: int = Field(ge=8, le=2048)
    width: int = Field(ge=8, le=8192)
    """Of every input; the greatest one where the width follows the image."""
    channels: Literal[1, 3]
    resize: Literal["stretch", "pad", "follow"]
    """stretch: to height and width. pad: keep the aspect ratio, fill the right and the bottom with
    the image's mean. follow: to the height; the width follows the image's, up to ``width``."""
    standardize: bool
    """True: zero mean and unit variance per image. False: values in [0, 1]; a set of licence plates
    then gave nothing but blanks, even after 40 epochs."""
    layout: Literal["HWC", "WHC"] = "HWC"
    """WHC: transposed, as models of the Keras captcha tutorial take it."""
    region: Region | None = None
    """What is cut out of an image first; None: nothing."""
    rows: Rows = 1
    """Of text in an image, within the region; 2: where the gap between two is found, they are cut
    apart and joined into one line (shared/recognition/lines/rows.py)."""
    direction: Direction = "ltr"
    """Of the text, left to right or right to left: the output of a network for the latter is turned
    around, its first time step is at the right."""
    widening: float = Field(1.0, gt=0, le=16, allow_inf_nan=False)
    """Where the width follows the image's: by how much the aspect ratio is stretched, for text too
    narrow to be told apart otherwise."""

    @property
    def shape(self) -> tuple[int, int | None, int] | tuple[int | None, int, int]:
        """The shape of one input, channels last; None for a width that follows the image."""
        width = None if self.resize == "follow" else self.width
        if self.layout == "WHC":
            return width, self.height, self.channels
        return self.height, width, self.channels

    @property
    def of_lines(self) -> "ImageSpec":
        """The same for lines that are already cut out of their images."""
        return self.model_copy(update={"region": None, "rows": 1})

    def content_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return width and height, in the input, of an image of this width and height."""
        left, top, right, bottom = self.region.box(size) if self.region else (0, 0, *size)
        width, height = right - left, bottom - top
        if self.resize == "stretch":
            return self.width, self.height
        if self.resize == "follow":
            own = round(width / height * self.height * self.widening)
            return min(self.width, max(1, own)), self.height
        scale = min(self.width / width, self.height / height)
        return (
            min(self.width, max(1, round(width * scale))),
            min(self.height, max(1, round(height * scale))),
        )

    def input_width(self, size: tuple[int, int]) -> int:
        """Return the width of the input for an image of this width and height."""
        if self.resize != "follow":
            return self.width
        return min(self.width, math.ceil(self.content_size(size)[0] / WIDTH_STEP) * WIDTH_STEP)

    def span(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return where the input's left and right edge lie in an image of this width and height.

        In shares of the image's width; an input that is wider than its content ends beyond it.
        Turned around where the text runs from right to left.
        """
        left, right = (self.region.left, self.region.right) if self.region else (0.0, 1.0)
        covered = self.content_size(size)[0] / self.input_width(size)
        edges = left, left + (right - left) / covered
        return edges if self.direction == "ltr" else edges[::-1]
