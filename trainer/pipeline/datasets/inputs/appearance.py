"""Measures how a set's images look: where their text is, how large, and whether in colour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.image_spec import WHOLE, ImageSpec, Region
from shared.recognition.preprocessing import cut_line, open_image
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.strokes import least_height
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads

SAMPLE = 300
"""Images that are measured: shares of them are known to a few per cent."""
STROKES = 32
"""Of these, those whose strokes are measured, which takes longer."""
ENOUGH = 20
"""Fewer images do not show what margins all have in common."""

ROWS = 64
"""Images are measured at this height at most, and their profiles have as many bins."""
SMOOTH = np.ones(5) / 5
"""Averages the neighbouring bins of one image's profile."""

BORDER = 0.05
"""The text begins where the contrast rises above this share of its height over the background."""
MARGIN = 0.15
"""Left around the text, in shares of its own extent."""
WORTHWHILE = 0.85
"""A region that holds more of the width or height than this is not cut out of it."""
CLEAR, FEW = 0.5, 0.005
"""An image surely has text where its contrast reaches this share of its greatest; a region holds
that of all images but these few."""

TAIL = 0.05
"""Share of an image's contrast, at either end, that does not count for the extent of its text."""

EDGE = 0.25
"""Edges are differences above this share of the image's strong ones."""
PALE = 1 / 3
"""An edge is lost in gray if less than this share of its difference remains."""

Profile = NDArray[np.float64]
"""The mean contrast of each of ROWS rows or columns of an image; 1 on average."""


@dataclass(frozen=True)
class Appearance:
    """What a sample of images has in common."""

    region: Region | None = None
    """Where the text is in all of them; None: anywhere."""
    text_height: float = 1.0
    """Of the text, median, as a share of the region's height."""
    text_width: float = 1.0
    """The same along the line."""
    lost_in_gray: float = 0.0
    """Share of the edges that an image would lose in gray, median."""
    stroke_height: int = 0
    """Of heights, the least at which thin strokes are not lost."""


@dataclass(frozen=True)
class _Look:
    rows: Profile
    columns: Profile
    lost_in_gray: float


def measure_appearance(
    source: ImageSource,
    images: Sequence[LabelledImage],
    heights: Sequence[int],
    window: Region | None = None,
) -> Appearance:
    """Measure a sample of a set's images, evenly spread over it.

    heights: that an input may have, in rising order. window: where the text is known to be; its
    region lies within.
    """
    names = _sample(images)

    def opened(name: str, region: Region | None) -> Image.Image:
        image = open_image(source.read(name))
        return image.crop(region.box(image.size)) if region else image

    found = _in_common(list(map_in_threads(lambda name: _look(opened(name, window)), names)))
    region = window.part(found.region) if window else found.region
    finest = least_height([opened(name, region) for name in _few(names)], heights)
    return replace(found, region=region, stroke_height=finest)


def measure_lines(
    source: ImageSource, images: Sequence[LabelledImage], heights: Sequence[int], spec: ImageSpec
) -> Appearance:
    """Measure the lines that the spec cuts out of a sample of a set's images, without a region.

    heights: that an input may have, in rising order.
    """
    names = _sample(images)

    def line(name: str) -> Image.Image:
        return cut_line(open_image(source.read(name)), spec).image

    looks = list(map_in_threads(lambda name: _look(line(name)), names))
    finest = least_height([line(name) for name in _few(names)], heights)
    return replace(_within(looks, WHOLE), stroke_height=finest)


def _sample(images: Sequence[LabelledImage]) -> list[str]:
    chosen = np.unique(np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(int))
    return [images[int(index)].name for index in chosen]


def _few(names: Sequence[str]) -> Sequence[str]:
    return names[:: -(-len(names) // STROKES)]


def _in_common(looks: Sequence[_Look]) -> Appearance:
    top, bottom = _common(np.array([look.rows for look in looks]))
    left, right = _common(np.array([look.columns for look in looks]))
    region = Region(left=left, top=top, right=right, bottom=bottom)
    found = _within(looks, region)
    return found if region == WHOLE else replace(found, region=region)


def _within(looks: Sequence[_Look], region: Region) -> Appearance:
    """Return what looks have in common within a region."""
    rows = np.array([look.rows for look in looks])
    columns = np.array([look.columns for look in looks])
    return Appearance(
        text_height=_extent(rows, region.top, region.bottom),
        text_width=_extent(columns, region.left, region.right),
        lost_in_gray=float(np.median([look.lost_in_gray for look in looks])),
    )


def _look(image: Image.Image) -> _Look:
    height = min(ROWS, image.height)
    width = max(4, round(image.width * height / image.height))
    small = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    colours = np.asarray(small, np.float32)
    # Along the line: strokes stand upright, while frames, rules and shadows lie.
    differences = np.abs(np.diff(colours, axis=1)).max(axis=2)
    gray = np.abs(np.diff(colours @ np.array([0.299, 0.587, 0.114], np.float32), axis=1))
    edges = differences > EDGE * np.quantile(differences, 0.99)
    lost = gray[edges] < PALE * differences[edges]
    return _Look(
        # Squared: the edges of characters stand out from noise.
        _profile((differences**2).mean(axis=1)),
        _profile((differences**2).mean(axis=0)),
        float(lost.mean()) if lost.size else 0.0,
    )


def _profile(contrast: NDArray[np.float32]) -> Profile:
    """Bring a profile to ROWS bins with a mean of 1; flat if there is no contrast."""
    total = np.concatenate([[0.0], np.cumsum(contrast, dtype=np.float64)])
    edges = np.interp(np.linspace(0, len(contrast), ROWS + 1), np.arange(len(total)), total)
    bins = np.diff(edges)
    return bins / bins.mean() if bins.mean() > 0 else np.ones(ROWS)


def _common(profiles: NDArray[np.float64]) -> tuple[float, float]:
    """Return where the text begins and ends in all images, as shares; (0, 1): anywhere."""
    if len(profiles) < ENOUGH:
        return 0.0, 1.0
    mean = profiles.mean(axis=0)
    ground, text = np.quantile(mean, 0.05), np.quantile(mean, 0.9)
    on_average = np.flatnonzero(mean >= ground + BORDER * (text - ground))
    # A long line's end is hardly seen in the average if most lines are short.
    firsts, lasts = _clear_text(profiles)
    first = min(on_average[0], np.quantile(firsts, FEW))
    last = max(on_average[-1], np.quantile(lasts, 1 - FEW)) + 1
    margin = MARGIN * (last - first)
    begin, end = max(0.0, (first - margin) / ROWS), min(1.0, (last + margin) / ROWS)
    return (0.0, 1.0) if end - begin > WORTHWHILE else (round(begin, 4), round(end, 4))


def _clear_text(profiles: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last bin with clear text of each image."""
    smooth = np.array([np.convolve(profile, SMOOTH, "same") for profile in profiles])
    ground = np.quantile(smooth, 0.05, axis=1, keepdims=True)
    clear = smooth - ground >= CLEAR * (smooth.max(axis=1, keepdims=True) - ground)
    return clear.argmax(axis=1), ROWS - 1 - clear[:, ::-1].argmax(axis=1)


def _extent(profiles: NDArray[np.float64], begin: float, end: float) -> float:
    """Return the median share of a region that the text takes."""
    middles = (np.arange(ROWS) + 0.5) / ROWS
    inside = profiles[:, (middles > begin) & (middles < end)]
    ground = np.quantile(inside, 0.05, axis=1, keepdims=True)
    above = np.maximum(inside - ground, 0) + 1e-9
    shares = np.cumsum(above, axis=1) / above.sum(axis=1, keepdims=True)
    first, last = (shares < TAIL).sum(axis=1), (shares < 1 - TAIL).sum(axis=1)
    spans = (last - first + 1) / inside.shape[1] / (1 - 2 * TAIL)
    return float(min(1.0, np.median(spans)))
