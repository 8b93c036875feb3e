"""Draws a batch of training images as the network sees them, before they are normalised."""

from pathlib import Path

import numpy as np
from PIL import Image

from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.networks.inference import load_pixels

IMAGES = 16
GAP = 4
"""Pixels between two inputs."""
SIDE = 800
"""Pixels; inputs stand side by side up to this width."""
GROUND = 128


def draw_inputs(dataset: Dataset, file: Path) -> None:
    """Write a sheet of the first images of the training part as a PNG."""
    inputs = load_pixels(dataset.source, dataset.train[:IMAGES], dataset.image)
    height, width = dataset.image.height, max(one.shape[1] for one in inputs)
    columns = max(1, min(4, SIDE // (width + GAP)))
    rows = -(-len(inputs) // columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, inputs[0].shape[2])
    sheet = np.full(shape, GROUND, np.uint8)
    for index, one in enumerate(inputs):
        top = index // columns * (height + GAP)
        left = index % columns * (width + GAP)
        sheet[top : top + height, left : left + one.shape[1]] = one
    Image.fromarray(sheet.squeeze()).save(file, optimize=True)
