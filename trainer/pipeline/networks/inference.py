"""Runs an inference model, Keras or ONNX, over images."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit, normalize, open_image
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads
from trainer.schemas.progress import Observer

BATCH = 64
CHUNK = 512
"""Images that ``outputs`` holds in memory at a time."""


def load_pixels(
    source: ImageSource,
    images: Sequence[LabelledImage],
    spec: ImageSpec,
    further: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Decode each image once: uint8 (N, H, W, C).

    further: decoded images to append.
    """
    count = len(images) + (0 if further is None else len(further))
    pixels = np.empty((count, spec.height, spec.width, spec.channels), np.uint8)
    fitted = map_in_threads(lambda one: fit(open_image(source.read(one.name)), spec), images)
    for index, one in enumerate(fitted):
        pixels[index] = one
    if further is not None:
        pixels[len(images) :] = further
    return pixels


class OnnxGraph:
    """An ONNX inference model with the interface of a Keras model that this module uses."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def predict_on_batch(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities for a batch of inputs: float32 (N, T, classes)."""
        output: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return output


def predict(model: Any, pixels: NDArray[np.uint8], image: ImageSpec) -> NDArray[np.float32]:
    """Run a model over all images: float32 (N, T, classes)."""
    batches = [pixels[i : i + BATCH] for i in range(0, len(pixels), BATCH)]
    outputs = [model.predict_on_batch(normalize(batch, image)) for batch in batches]
    return np.concatenate(outputs)


def outputs(
    model: Any,
    source: ImageSource,
    images: Sequence[LabelledImage],
    image: ImageSpec,
    observer: Observer,
) -> Iterator[tuple[Sequence[LabelledImage], NDArray[np.float32]]]:
    """Yield each CHUNK of images with a model's output, float32 (N, T, classes).

    Raises CancelledRunError if the job is cancelled.
    """
    for start in range(0, len(images), CHUNK):
        observer.checkpoint()
        chunk = images[start : start + CHUNK]
        yield chunk, predict(model, load_pixels(source, chunk, image), image)
