"""A sample of the training part, stored in every bundle.

Training that starts from a version also trains on its sample, so that images of a new look do
not replace the old one: 100 new images alone took the old look from 100 % to 69 %. (Robins 1995:
catastrophic forgetting, rehearsal and pseudorehearsal.)
"""

from pathlib import Path

import numpy as np

from shared.recognition.image_spec import ImageSpec
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
    pixels = [load_pixels(dataset.source, images, dataset.image), earlier.pixels[rehearsed]]
    labels = [*(image.label for image in images), *(earlier.labels[index] for index in rehearsed)]
    np.savez_compressed(bundle / REHEARSAL, pixels=np.concatenate(pixels), labels=np.array(labels))


def read_rehearsal(bundle: Path, image: ImageSpec) -> Rehearsal:
    """Return a bundle's sample; empty if it has none (imported, or of an early Readsmith)."""
    file = bundle / REHEARSAL
    if not file.exists():
        return Rehearsal.empty(image)
    with np.load(file, allow_pickle=False) as arrays:
        return Rehearsal(arrays["pixels"], tuple(arrays["labels"].tolist()))
