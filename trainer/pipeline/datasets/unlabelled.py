"""Images of a set that have no text: a network also learns from what others read on them."""

import numpy as np

from trainer.pipeline.datasets.clean import Checked, check_images
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable

MOST = 1000
"""So many are drawn from more, which take time and show little that these do not."""


def unlabelled_images(
    source: ImageSource, found: FoundLabels, checked: Checked, seed: int
) -> ImageTable:
    """Return readable images without a text, each content once, labelled "".

    None that a labelled file also holds: a test image would otherwise be learned from.
    """
    labelled = {*found.names(), *found.decided}
    names = sorted({name for name in found.unlabelled if name not in labelled})
    if found.boxes:  # the others are whole photographs
        names = [name for name in names if name in found.boxes]
    if len(names) > MOST:
        drawn = np.random.default_rng(seed).choice(len(names), MOST, replace=False)
        names = [names[index] for index in sorted(drawn)]
    no_texts = TextTable(Texts(names), Texts("" for _ in names))
    images = check_images(source, FoundLabels(found.source, no_texts)).images
    known = {content.tobytes() for content in checked.images.contents}
    return images.take(
        [row for row, content in enumerate(images.contents) if content.tobytes() not in known]
    )
