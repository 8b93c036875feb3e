"""Decides whether a set's images have two rows of text, by their gaps and their labels.

A gap alone is no proof: marks above and below letters, and lines drawn across a captcha, leave one
in a single row, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shared.recognition.image_spec import WHOLE, ImageSpec, Rows
from shared.recognition.lines.rows import Gap, find_gap, join_rows
from shared.recognition.preprocessing import cut_line, open_image
from shared.recognition.scripts.graphemes import clusters
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.evidence import Examined, StarterModel, surely_better
from trainer.pipeline.datasets.inputs.evidence import reduced as examined
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads

SAMPLE = 96
"""Images whose gaps are measured; of these, those with one are shown to the starter."""
SHOWN = 32
FEWEST, FEW = 8, 0.1
"""Fewer images with a gap, or a smaller share, are no second row: they are odd ones."""
BROKEN = 0.5
"""Labels with a line break in so many images that have a gap say that they have two rows."""
WORTH = 0.5
"""Nats a character by which the starter must tell labels apart better in joined rows."""
HALVES = tuple(WHOLE.model_copy(update={name: 0.5}) for name in ("right", "left"))
"""Of a line: the upper row and the lower one."""
NEARLY_ALL = 0.8
"""Share of images with a gap at which labels that no row can hold are proof, where the starter
does not know their characters."""
NARROW = 0.3
"""Width over height of a character in a single row that is too narrow to be one."""


@dataclass(frozen=True)
class _Gapped:
    """An image with a gap, within the region, and its label."""

    image: Image.Image
    gap: Gap
    label: str

    @property
    def character(self) -> float:
        """Width over height of a character, if all stood in one row as high as the text."""
        height = (self.gap.bottom - self.gap.top) * self.image.height
        return self.image.width / height / max(1, len(clusters(self.label)))


def count_rows(
    source: ImageSource,
    images: Sequence[LabelledImage],
    spec: ImageSpec,
    broken: frozenset[str] = frozenset(),
) -> tuple[Rows, str]:
    """Return how many rows of text the images have, 1 or 2, and why.

    spec: its region is what the text is in. broken: names of images whose label has a line break.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(int))
    sample = [images[int(index)] for index in chosen]

    def gapped(image: LabelledImage) -> _Gapped | None:
        cut = cut_line(open_image(source.read(image.name)), spec.model_copy(update={"rows": 1}))
        gap = find_gap(cut.image)
        return None if gap is None else _Gapped(examined(cut.image), gap, image.label)

    looked = list(zip(sample, map_in_threads(gapped, sample), strict=True))
    found = [each for _, each in looked if each is not None]
    seen = f"a gap between two rows is in {len(found)} of {len(sample)} images"
    if len(found) < max(FEWEST, FEW * len(sample)):
        return 1, seen
    breaks = sum(image.name in broken for image, each in looked if each is not None)
    if breaks >= BROKEN * len(found):
        return 2, f"{seen}, and {breaks} of their labels have a line break"
    rows, why = _by_the_labels(found, len(found) / len(sample))
    return rows, f"{seen}, {why}"


def _by_the_labels(found: Sequence[_Gapped], share: float) -> tuple[Rows, str]:
    starter = StarterModel()
    known = [each for each in found if starter.knows(each.label)][:SHOWN]
    if len(known) >= FEWEST:
        labels = [starter.classes(each.label) for each in known]
        lines = Examined(starter, [join_rows(each.image, each.gap) for each in known], labels)
        joined = lines.evidence(WHOLE)
        whole = Examined(starter, [each.image for each in known], labels).evidence(WHOLE)
        # The second row may be a caption, of which no label says anything.
        others = {"the whole image": whole, "a row": max(map(lines.evidence, HALVES), key=np.mean)}
        better = all(surely_better(joined, each + WORTH) for each in others.values())
        shown = " and ".join(f"{each.mean():.1f} in {name}" for name, each in others.items())
        return (2 if better else 1), (
            f"{'and' if better else 'but'} the starter tells their labels apart by "
            f"{joined.mean():.1f} nats a character in the joined rows, by {shown}"
        )
    width = float(np.median([each.character for each in found]))
    if share >= NEARLY_ALL and width < NARROW:
        return 2, f"and in one row a character would be {width:.2f} times as wide as high"
    return 1, "but nothing in the labels speaks for two rows (rows 2 joins them all the same)"


def lines_of(
    source: ImageSource, images: Sequence[LabelledImage], spec: ImageSpec
) -> list[LabelledImage]:
    """Return the images with the sizes of their lines, which an input of the spec is made of."""

    def line(image: LabelledImage) -> LabelledImage:
        return image._replace(size=cut_line(open_image(source.read(image.name)), spec).image.size)

    return list(map_in_threads(line, images))
