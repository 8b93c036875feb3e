"""A sample of the training part, stored in every bundle.

Training that starts from a version also trains on its sample, so that images of a new look do
not replace the old one: 100 new images alone took the old look from 100 % to 69 %. (Robins 1995:
catastrophic forgetting, rehearsal and pseudorehearsal.)
"""

from pathlib import Path

import numpy as np

from shared.store.manifest import REHEARSAL
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.networks.inference import load_pixels

IMAGES = 128


def write_rehearsal(dataset: Dataset, seed: int, bundle: Path) -> None:
    """Write a sample of the training part and of the base version's sample."""
    earlier = dataset.rehearsal
    count = len(dataset.train) + len(earlier.labels)
    chosen = np.random.default_rng(seed).permutation(count)[:IMAGES]
    images = [dataset.train[int(index)] for index in chosen if index < len(dataset.train)]
    rehearsed = [index - len(dataset.train) for index in chosen if index >= len(dataset.train)]
    pixels = [
        *load_pixels(dataset.source, images, dataset.image),
        *(earlier.pixels[index] for index in rehearsed),
    ]
    labels = [*(image.label for image in images), *(earlier.labels[index] for index in rehearsed)]
    widths = np.array([one.shape[1] for one in pixels])
    # One array: images of different widths side by side in rows of the widest.
    together = np.zeros(
        (len(pixels), pixels[0].shape[0], widths.max(), pixels[0].shape[2]), np.uint8
    )
    for row, one in zip(together, pixels, strict=True):
        row[:, : one.shape[1]] = one
    np.savez_compressed(bundle / REHEARSAL, pixels=together, widths=widths, labels=np.array(labels))


def read_rehearsal(bundle: Path) -> Rehearsal:
    """Return a bundle's sample; empty if it has none (imported, or of an early Readsmith)."""
    file = bundle / REHEARSAL
    if not file.exists():
        return Rehearsal()
    with np.load(file, allow_pickle=False) as arrays:
        together, labels = arrays["pixels"], tuple(arrays["labels"].tolist())
        # Bundles of format 1 have no widths: all their images are equally wide.
        widths = arrays["widths"] if "widths" in arrays else [together.shape[2]] * len(labels)
    pixels = (row[:, :width] for row, width in zip(together, widths, strict=True))
    return Rehearsal(tuple(pixels), labels)
