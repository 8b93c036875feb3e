"""Chooses the image spec from the sizes and labels of a dataset, each choice with its reason."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from shared.preprocessing import ImageSpec
from shared.vocabulary import required_time_steps
from trainer.requests import JobRequest

STEP = 4
"""Columns of the input per time step, in every preset."""

STARTER_HEIGHT = 48

ASPECT_TOLERANCE = 1.15
"""Images whose aspect ratios differ by more than this are padded, not stretched."""


def time_steps(image: ImageSpec) -> int:
    """Return how many time steps a model has for this input."""
    return image.width // STEP


def choose_image_spec(
    sizes: Mapping[tuple[int, int], int], labels: Sequence[str], request: JobRequest
) -> tuple[ImageSpec, dict[str, str]]:
    """Return the spec and a reason for each of its choices.

    sizes: how many images there are of each (width, height).
    """
    wanted = request.hyperparameters
    counts = Counter(dict(sizes))
    heights = np.repeat([h for _, h in counts], list(counts.values()))
    aspects = np.repeat([w / h for w, h in counts], list(counts.values()))
    low, high = (float(np.quantile(aspects, q)) for q in (0.02, 0.98))
    stretch = high / low <= ASPECT_TOLERANCE
    reasons: dict[str, str] = {}
    if isinstance(wanted.height, int):
        height, reasons["height"] = wanted.height, "as asked for"
    elif request.preset == "conv":
        height, reasons["height"] = STARTER_HEIGHT, "the height that the starter weights fit"
    else:
        median = float(np.median(heights))
        height = min(64, max(32, round(median)))
        reasons["height"] = f"median height {median:.0f}, kept within 32 and 64"
    if isinstance(wanted.width, int):
        width, reasons["width"] = wanted.width, "as asked for"
    else:
        aspect = float(np.median(aspects)) if stretch else high
        width, reasons["width"] = _width(aspect, height, labels)
    reasons["resize"] = (
        "stretched: the aspect ratios are alike"
        if stretch
        else f"padded: the aspect ratios go from {low:.1f} to {high:.1f}"
    )
    reasons["channels"] = "gray: brightness tells the characters"
    reasons["standardize"] = "per image: low contrast does not stop learning"
    spec = ImageSpec(
        height=height,
        width=width,
        channels=1,
        resize="stretch" if stretch else "pad",
        standardize=True,
    )
    return spec, reasons


def _width(aspect: float, height: int, labels: Sequence[str]) -> tuple[int, str]:
    """Width by aspect, widened until the longest label has two time steps per character."""
    by_aspect = round(aspect * height / STEP) * STEP
    longest = max((required_time_steps(label) for label in labels), default=1)
    by_label = STEP * (2 * longest + 1)
    width = min(4096, max(32, by_aspect, by_label))
    if width == by_aspect:
        return width, f"aspect ratio {aspect:.2f} at height {height}"
    return width, f"{math.ceil(width / STEP)} time steps for labels of up to {longest} steps"
