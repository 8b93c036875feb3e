"""Chooses the image spec from what is measured on a dataset, with a reason for each choice."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.recognition.image_spec import WIDTH_STEP, ImageSpec, Region
from shared.recognition.scripts.text_direction import is_right_to_left
from shared.recognition.vocabulary import required_time_steps
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.appearance import Appearance
from trainer.pipeline.datasets.inputs.text_window import TextWindow
from trainer.schemas.job_request import JobRequest

STEP = 4
"""Columns of the input per time step, in every preset."""

STARTER_HEIGHT = 48
"""Pixels; the height that the starter was trained on. Its weights are folded to any other."""
TEXT_HEIGHT, LEAST_TEXT_HEIGHT = 24, 18
"""Pixels of the input's height that the text should have; with fewer, the input becomes higher."""
TALLEST = 128
"""Pixels; the time of a step grows with the height."""
HEIGHT_STEP = 16
"""Every preset halves the height four times."""
HEIGHTS = range(STARTER_HEIGHT, TALLEST + 1, HEIGHT_STEP)

PITCH, LEAST_PITCH = 16, 8
"""Columns of the input per character along the line, median and least: four time steps and two."""
WIDEST = 4096
SPARE = 1.25
"""The longest images of later requests may be longer than those of the set."""

ASPECT_TOLERANCE = 1.15
"""Images whose aspect ratios differ by more than this are not stretched to one size."""
ODD = 0.01
"""Share of images, at either end, that do not decide: one odd image would otherwise do for all."""

LOST_IN_GRAY = 0.15
"""With a greater share of its edges lost, an image keeps its colour."""


def time_steps(image: ImageSpec) -> int:
    """Return how many time steps a model has for an input of this spec, at most."""
    return image.width // STEP


def time_steps_of(size: tuple[int, int], image: ImageSpec) -> int:
    """Return how many time steps a model has for an image of this width and height."""
    return image.input_width(size) // STEP


def choose_image_spec(
    images: Iterable[LabelledImage],
    appearance: Appearance,
    request: JobRequest,
    window: TextWindow | None = None,
) -> tuple[ImageSpec, dict[str, str]]:
    """Return the spec and a reason for each of its choices.

    images: all usable ones, at least one. appearance: measured on a sample of them, within window.
    """
    wanted = request.hyperparameters
    choices: dict[str, _Choice] = {}
    choices["region"] = _requested_region(wanted.region) or _region(appearance, request, window)
    text = _Text(list(images), choices["region"][0], appearance)
    choices["resize"] = _requested(wanted.resize) or _resize(text, request)
    choices["height"] = _requested(wanted.height) or _height(text, request)
    height, follows = choices["height"][0], choices["resize"][0] == "follow"
    widening = text.widening(height)
    if follows:
        choices["widening"] = widening
    choices["width"] = _requested(wanted.width) or (
        _greatest_width(text, height, widening[0])
        if follows
        else _width(text, height, choices["resize"][0], widening)
    )
    choices["direction"] = _requested(wanted.direction) or _direction(text)
    choices["channels"] = _requested(wanted.channels) or _channels(appearance)
    choices["standardize"] = _requested(wanted.standardize) or (
        True,
        "images of low contrast are learned too",
    )
    spec = ImageSpec.model_validate({name: value for name, (value, _) in choices.items()})
    return spec, {name: f"{_shown(value)}: {why}" for name, (value, why) in choices.items()}


_Choice = tuple[Any, str]
"""A value and why it was chosen."""


def _requested(value: Region | int | str | bool) -> _Choice | None:
    return None if value == "auto" else (value, "as requested")


def _requested_region(value: Region | str) -> _Choice | None:
    return (None, "as requested") if value == "whole" else _requested(value)


def _shown(value: Any) -> str:
    if isinstance(value, Region):
        across = f"{value.left:.0%} to {value.right:.0%} of the width"
        return f"{across}, {value.top:.0%} to {value.bottom:.0%} of the height"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return "whole" if value is None else str(value)


@dataclass(frozen=True)
class _Text:
    """The images of a set, and what of them is text."""

    images: Sequence[LabelledImage]
    region: Region | None
    appearance: Appearance

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """Width and height of what is left of each image, in pixels: (N, 2)."""
        boxes = (
            self.region.box(image.size) if self.region else (0, 0, *image.size)
            for image in self.images
        )
        return np.array([(right - left, bottom - top) for left, top, right, bottom in boxes], float)

    @cached_property
    def aspects(self) -> NDArray[np.float64]:
        """Width over height of each: (N,)."""
        return self.sizes[:, 0] / self.sizes[:, 1]

    @cached_property
    def steps(self) -> NDArray[np.int_]:
        """Time steps that each label needs at least: (N,)."""
        return np.array([max(1, required_time_steps(image.label)) for image in self.images])

    def widening(self, height: int) -> _Choice:
        """Return by how much inputs must be wider than the images' aspect ratios ask."""
        characters = np.array([max(1, len(image.label)) for image in self.images])
        widths = self.aspects * height
        pitch = float(np.median(widths * self.appearance.text_width / characters))
        least = float(np.quantile(widths / self.steps, ODD))
        factor = min(16.0, max(1.0, PITCH / pitch, LEAST_PITCH / least))
        if factor == 1:
            return factor, f"a character has {pitch:.0f} columns"
        return factor, f"a character has {pitch * factor:.0f} columns, {pitch:.0f} without"


def _region(appearance: Appearance, request: JobRequest, window: TextWindow | None) -> _Choice:
    if request.preset == "crnn":  # it stays what the tutorial made it
        return None, "preset crnn takes whole images"
    if appearance.region is None:
        return None, "no wide margins are common to all images"
    if window is not None:
        return appearance.region, (
            f"there the starter tells the labels apart by {window.nats:.1f} nats a character, "
            f"in whole images by {window.nats_whole:.1f}"
        )
    return appearance.region, "outside it hardly any image has contrast"


def _direction(text: _Text) -> _Choice:
    if is_right_to_left(image.label for image in text.images):
        return "rtl", "most letters of the labels run from right to left"
    return "ltr", "few letters of the labels run from right to left"


def _resize(text: _Text, request: JobRequest) -> _Choice:
    low, high = np.quantile(text.aspects, (ODD, 1 - ODD)).tolist()
    if high / low <= ASPECT_TOLERANCE:
        return "stretch", "the aspect ratios are similar"
    why = f"the aspect ratios range from {low:.1f} to {high:.1f}"
    return ("pad" if request.preset == "crnn" else "follow"), why


def _height(text: _Text, request: JobRequest) -> _Choice:
    median = float(np.median(text.sizes[:, 1]))
    if request.preset == "crnn":
        return min(64, max(32, round(median))), f"median height {median:.0f}, within 32 and 64"
    share = text.appearance.text_height
    shown = round(share * STARTER_HEIGHT)
    # More pixels than an image has would show nothing more.
    has = math.ceil(median / HEIGHT_STEP) * HEIGHT_STEP
    wanted = math.ceil(TEXT_HEIGHT / share / HEIGHT_STEP) * HEIGHT_STEP
    by_text = STARTER_HEIGHT if shown >= LEAST_TEXT_HEIGHT else min(wanted, has, TALLEST)
    by_strokes = min(text.appearance.stroke_height, has)
    if by_strokes > max(by_text, STARTER_HEIGHT):
        return (
            by_strokes,
            f"with fewer rows, strokes would be lost; the text has {share * by_strokes:.0f}",
        )
    if by_text <= STARTER_HEIGHT:
        return STARTER_HEIGHT, f"the text has {shown} rows"
    return by_text, f"the text has {share * by_text:.0f} rows, {shown} in {STARTER_HEIGHT}"


def _greatest_width(text: _Text, height: int, widening: float) -> _Choice:
    longest = float(np.quantile(text.aspects, 1 - ODD)) * SPARE * height * widening
    width = min(WIDEST, math.ceil(longest / WIDTH_STEP) * WIDTH_STEP)
    return width, "of the longest images; others are narrower"


def _width(text: _Text, height: int, resize: str, widening: _Choice) -> _Choice:
    aspect = float(np.quantile(text.aspects, 0.5 if resize == "stretch" else 1 - ODD))
    by_aspect = round(aspect * height * widening[0] / STEP) * STEP
    # Of the longest label, too: one image wide, it costs nothing but columns.
    by_label = STEP * (int(text.steps.max()) + 1)
    width = min(WIDEST, max(32, by_aspect, by_label))
    return width, f"aspect ratio {aspect:.2f} at height {height}; {widening[1]}"


def _channels(appearance: Appearance) -> _Choice:
    lost = appearance.lost_in_gray
    if lost > LOST_IN_GRAY:
        return 3, f"gray would lose {lost:.0%} of the edges"
    return 1, f"gray loses {lost:.0%} of the edges"
