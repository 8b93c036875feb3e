"""Finds the part of the images in which the starter tells their labels apart.

Contrast does not tell text from captions, frames and other print that all images share. The labels
do: where an image shows its own, the starter finds it likelier than those of other images. Neither
needs the starter to be right on a single image, nor that the images are aligned to the pixel.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shared.recognition.image_spec import WHOLE, Region
from shared.recognition.preprocessing import open_image
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.evidence import (
    Examined,
    StarterModel,
    reduced,
    surely_better,
)
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads

SAMPLE = 32
FIRST = 8
"""Of these, those that all windows are tried on; the best few are tried on all others."""
BEST = 6
AS_GOOD = 0.85
"""Of windows with this share of the greatest evidence, the largest cuts the least."""
ENOUGH = 24
"""Images with such a label."""
SAME_PLACE = 1.5
"""Images whose aspect ratios differ by more have no place in common."""

SHARES = (2 / 3, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 12)
"""Of a side, that a window takes; its neighbour lies half a window further."""
LEAST = 16
"""Pixels of a side in a window: text smaller than that is not legible."""

MARGIN = 0.15
"""Left around the best window, in shares of its own extent."""
WORTHWHILE = 0.85
"""A window that takes more of the width and of the height than this is not cut out."""


@dataclass(frozen=True)
class TextWindow:
    """Where the labels are, and how clearly the starter tells them apart there."""

    region: Region
    nats: float
    """A character, mean over the images."""
    nats_whole: float
    """The same where it sees whole images."""


def find_text_window(source: ImageSource, images: Sequence[LabelledImage]) -> TextWindow | None:
    """Search a sample of a set's images; None if no part surely serves better than all of it."""
    low, high = np.quantile(
        [width / height for width, height in (image.size for image in images)], (0.05, 0.95)
    )
    if high / low > SAME_PLACE:
        return None
    starter = StarterModel()
    known = [image for image in images if starter.knows(image.label)]
    if len(known) < ENOUGH:
        return None
    chosen = np.unique(np.linspace(0, len(known) - 1, min(SAMPLE, len(known))).astype(int))
    sample = [known[int(index)] for index in chosen]
    return _search(
        Examined(
            starter,
            list(
                map_in_threads(lambda image: reduced(open_image(source.read(image.name))), sample)
            ),
            [starter.classes(image.label) for image in sample],
        )
    )


def _search(sample: Examined) -> TextWindow | None:
    """Narrow the window down along the height, along the width, and along the height again."""
    region = WHOLE
    for along in (1, 0, 1):
        narrower = _narrowed(region, along, sample)
        if narrower is None and along == 0:
            break
        region = narrower or region
    if region == WHOLE or not _is_worthwhile(region := _with_margin(region)):
        return None
    found, whole = sample.evidence(region), sample.evidence(WHOLE)
    return TextWindow(region, float(found.mean()), float(whole.mean()))


def _narrowed(region: Region, along: int, sample: Examined) -> Region | None:
    """Return the best window of a region along a side, if images of its own are sure of it."""
    first, others = sample.every(SAMPLE // FIRST), sample.without(SAMPLE // FIRST)
    windows = list(_windows(region, along, sample.size))
    windows.sort(key=lambda each: float(first.evidence(each).mean()), reverse=True)
    found = {each: others.evidence(each) for each in windows[:BEST]}
    most = max((float(each.mean()) for each in found.values()), default=0.0)
    good = (each for each in found if found[each].mean() >= AS_GOOD * most)
    best = max(good, key=_extent, default=region)
    if best == region or not surely_better(found[best], others.evidence(region)):
        return None
    return best if others.shows_whole_texts(best) else None


def _windows(region: Region, along: int, size: tuple[float, float]) -> Iterator[Region]:
    """Yield windows of a region, the largest first; along: 0 for the width, 1 for the height."""
    names = ("left", "right") if along == 0 else ("top", "bottom")
    begin, end = (getattr(region, name) for name in names)
    for share in SHARES:
        extent = share * (end - begin)
        if extent * size[along] < LEAST:
            return
        for at in np.linspace(begin, end - extent, math.ceil(2 * (1 - share) / share) + 1):
            sides = dict(zip(names, (float(at), float(at + extent)), strict=True))
            yield region.model_copy(update=sides)


def _extent(region: Region) -> float:
    return (region.right - region.left) * (region.bottom - region.top)


def _with_margin(region: Region) -> Region:
    across, down = MARGIN * (region.right - region.left), MARGIN * (region.bottom - region.top)
    return Region(
        left=round(max(0.0, region.left - across), 4),
        top=round(max(0.0, region.top - down), 4),
        right=round(min(1.0, region.right + across), 4),
        bottom=round(min(1.0, region.bottom + down), 4),
    )


def _is_worthwhile(region: Region) -> bool:
    return min(region.right - region.left, region.bottom - region.top) <= WORTHWHILE
