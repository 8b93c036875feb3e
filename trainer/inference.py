"""Runs a Keras inference graph over pictures, while training and when measuring."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.preprocessing import ImageSpec, fit, normalize, open_image
from trainer.dataset import LabelledImage
from trainer.image_source import ImageSource

BATCH = 64


def load_pixels(
    source: ImageSource, images: Sequence[LabelledImage], image: ImageSpec
) -> NDArray[np.uint8]:
    """Decode each picture once: uint8 (N, H, W, C)."""
    pixels = np.empty((len(images), image.height, image.width, image.channels), np.uint8)
    with ThreadPoolExecutor() as pool:
        pictures = pool.map(lambda one: fit(open_image(source.read(one.name)), image), images)
        for index, picture in enumerate(pictures):
            pixels[index] = picture
    return pixels


def predict(model: Any, pixels: NDArray[np.uint8], image: ImageSpec) -> NDArray[np.float32]:
    """Run the inference graph over all pictures: float32 (N, T, classes)."""
    batches = [pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH)]
    outputs = [model.predict_on_batch(normalize(batch, image)) for batch in batches]
    return np.concatenate(outputs)
