"""Finds images that look almost alike: encoded again, resized, neighbouring frames of a video.

In the training part they would tell the answer to those in the test part.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.pipeline.datasets.image_table import LOOK_BYTES, ImageTable

LOOK = (16, 4)
"""Width and height of the thumbnails: lines of text are wide."""
ALIKE = 0.98
"""Least correlation of two thumbnails that look alike; docs/decisions/0024-honest-splits.md."""
WINDOW = 1024
"""Images of one label are compared with about as many neighbours in the order of the source."""


def look(image: Image.Image) -> bytes:
    """Return a gray thumbnail without its brightness and contrast: LOOK_BYTES int8, row by row.

    (Torralba, Fergus and Freeman 2008, "80 million tiny images", section III.)
    """
    gray = image.convert("L").convert("F")  # else a faint image would be rounded away
    # Bilinear, whose cells overlap: a pixel to one side changes them little.
    pixels = np.asarray(gray.resize(LOOK, Image.Resampling.BILINEAR)).ravel()
    pixels = pixels - pixels.mean()
    greatest = np.abs(pixels).max()
    if greatest < 1:  # a plain area looks like nothing
        return bytes(LOOK_BYTES)
    return bytes(np.rint(pixels * (127 / greatest)).astype(np.int8).tobytes())


def near_duplicates(images: ImageTable) -> Iterator[tuple[int, int]]:
    """Yield the indices of two images that have the same label and look alike, for all such."""
    labels = np.fromiter(map(hash, images.labels), np.int64, len(images))
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order][:1] - 1))
    looks = images.looks
    for same in np.split(order, starts[1:]):
        # Overlapping windows, because a set of millions may have few different labels.
        for at in range(0, max(1, len(same) - WINDOW // 2), WINDOW // 2):
            window = same[at : at + WINDOW]
            if len(window) > 1:
                yield from ((int(window[a]), int(window[b])) for a, b in _alike(looks[window]))


def _alike(looks: NDArray[np.int8]) -> NDArray[np.intp]:
    """Return the pairs of rows that look alike, (pairs, 2)."""
    vectors = looks.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, 1)
    return np.argwhere(np.triu(vectors @ vectors.T >= ALIKE, 1))
