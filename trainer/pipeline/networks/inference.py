"""Runs an inference model, Keras or ONNX, over images."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shared.child_process import limit_this_process
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit, open_image, to_batch
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.threads import map_in_threads
from trainer.schemas.progress import Observer

GRAPH_MEMORY = 4_000_000_000
GRAPH_SECONDS = 120
IMAGES_PER_SECOND = 4
"""Limits of a process that runs a published graph; a usual one predicts hundreds a second."""

BATCH = 64
CHUNK = 512
"""Images that ``outputs`` holds in memory at a time."""


def load_pixels(
    source: ImageSource,
    images: Sequence[LabelledImage],
    spec: ImageSpec,
) -> list[NDArray[np.uint8]]:
    """Decode each image once and fit it to the spec: uint8 (H, W, C) each."""
    return list(map_in_threads(lambda one: fit(open_image(source.read(one.name)), spec), images))


class OnnxGraph:
    """An ONNX inference model with the interface of a Keras model that this module uses."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def predict_on_batch(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities for a batch of inputs: float32 (N, T, classes)."""
        output: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return output


def limit_for_graphs(images: int) -> None:
    """Limit this process, which is to run published graphs over so many images.

    A hostile graph never ends, or takes all memory.
    """
    limit_this_process(GRAPH_MEMORY, GRAPH_SECONDS + images // IMAGES_PER_SECOND)


def predict(
    model: Any, pixels: Sequence[NDArray[np.uint8]], image: ImageSpec
) -> NDArray[np.float32]:
    """Run a model over fitted images: float32 (N, T, classes), T of the widest.

    The steps beyond an image's own are surely blank, which leaves its text's probability as it is.
    """
    # By width: an image gets the same output whatever it shares a batch with, as when served.
    by_width: dict[int, list[int]] = {}
    for index, one in enumerate(pixels):
        by_width.setdefault(one.shape[1], []).append(index)
    outputs: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(pixels)
    for rows in by_width.values():
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            found = model.predict_on_batch(to_batch([pixels[row] for row in batch], image))
            for row, output in zip(batch, found, strict=True):
                outputs[row] = output
    return _joined(outputs)


def _joined(outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    longest = max(len(output) for output in outputs)
    joined = np.zeros((len(outputs), longest, outputs[0].shape[1]), np.float32)
    joined[:, :, -1] = 1
    for row, output in zip(joined, outputs, strict=True):
        row[: len(output)] = output
    return joined


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
