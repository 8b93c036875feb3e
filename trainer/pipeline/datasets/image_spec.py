"""Chooses the image spec from a dataset's sizes and labels, with a reason for each choice."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import required_time_steps
from trainer.schemas.job_request import JobRequest

STEP = 4
"""Columns of the input per time step, in every preset."""

STARTER_HEIGHT = 48
"""Pixels; fixed, so that one set of pre-trained weights fits every dataset."""

ASPECT_TOLERANCE = 1.15
"""Images whose aspect ratios differ by more than this are padded, not stretched."""

IN_BRIGHTNESS = 0.3
"""With a lower share of the contrast in the brightness, gray would lose the text."""


def time_steps(image: ImageSpec) -> int:
    """Return how many time steps a model has for this input."""
    return image.width // STEP


def choose_image_spec(
    sizes: Mapping[tuple[int, int], int],
    brightness: Sequence[float],
    labels: Iterable[str],
    request: JobRequest,
) -> tuple[ImageSpec, dict[str, str]]:
    """Return the spec and a reason for each of its choices.

    sizes: the number of images of each (width, height). brightness: the share_of_brightness of
    each image.
    """
    counts = Counter(dict(sizes))
    heights = np.repeat([h for _, h in counts], list(counts.values()))
    aspects = np.repeat([w / h for w, h in counts], list(counts.values()))
    # Not the extremes: one odd image would otherwise decide for all.
    low, high = (float(np.quantile(aspects, q)) for q in (0.02, 0.98))
    wanted = request.hyperparameters
    choices: dict[str, _Choice] = {}
    choices["resize"] = _requested(wanted.resize) or (
        ("stretch", "the aspect ratios are similar")
        if high / low <= ASPECT_TOLERANCE
        else ("pad", f"the aspect ratios range from {low:.1f} to {high:.1f}")
    )
    choices["height"] = _requested(wanted.height) or _height(heights, request)
    stretched = choices["resize"][0] == "stretch"
    aspect = float(np.median(aspects)) if stretched else high
    choices["width"] = _requested(wanted.width) or _width(aspect, int(choices["height"][0]), labels)
    choices["channels"] = _requested(wanted.channels) or _channels(brightness)
    choices["standardize"] = _requested(wanted.standardize) or (
        True,
        "images of low contrast are learned too",
    )
    spec = ImageSpec.model_validate({name: value for name, (value, _) in choices.items()})
    return spec, {name: f"{_shown(value)}: {why}" for name, (value, why) in choices.items()}


_Choice = tuple[int | str | bool, str]
"""A value and why it was chosen."""


def _requested(value: int | str | bool) -> _Choice | None:
    return None if value == "auto" else (value, "as requested")


def _shown(value: int | str | bool) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _height(heights: NDArray[np.int_], request: JobRequest) -> _Choice:
    if request.preset == "conv":
        return STARTER_HEIGHT, "the starter weights fit it"
    median = float(np.median(heights))
    return min(64, max(32, round(median))), f"median height {median:.0f}, within 32 and 64"


def _channels(brightness: Sequence[float]) -> _Choice:
    share = float(np.median(brightness))
    if share < IN_BRIGHTNESS:
        return 3, f"only {share:.0%} of the contrast is in the brightness"
    return 1, f"{share:.0%} of the contrast is in the brightness"


def share_of_brightness(image: Image.Image) -> float:
    """Return the share of an image's contrast that remains in gray, in [0, 1].

    image: mode L or RGB. The standard deviation of the luma (ITU-R BT.601) over that of the
    colours along their first principal axis, scaled so that a gray image has 1.
    """
    if image.mode == "L":
        return 1.0
    colours = np.asarray(image.reduce(2), np.float32).reshape(-1, 3)
    if len(colours) < 2:  # no covariance
        return 1.0
    spread = np.cov(colours, rowvar=False)
    strongest = float(np.linalg.eigvalsh(spread)[-1])
    luma = np.array([0.299, 0.587, 0.114])
    in_gray = float(luma @ spread @ luma)
    return 1.0 if strongest < 1 else min(1.0, math.sqrt(3 * max(0.0, in_gray) / strongest))


def _width(aspect: float, height: int, labels: Iterable[str]) -> _Choice:
    """Return the width by aspect ratio, or twice the time steps of the longest label if wider."""
    by_aspect = round(aspect * height / STEP) * STEP
    longest = max((required_time_steps(label) for label in labels), default=1)
    by_label = STEP * (2 * longest + 1)
    width = min(4096, max(32, by_aspect, by_label))
    if width == by_aspect:
        return width, f"aspect ratio {aspect:.2f} at height {height}"
    return width, f"{math.ceil(width / STEP)} time steps for labels of up to {longest} steps"
