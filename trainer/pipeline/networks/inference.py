"""Runs an inference model, Keras or ONNX, over images."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shared.child_process import limit_this_process
from shared.recognition.decoding import in_reading_order
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
    """Run a model over fitted images: float32 (N, T, classes), T of the widest, in reading order.

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
            found = in_reading_order(found, image)
            for row, output in zip(batch, found, strict=True):
                outputs[row] = output
    return joined([output[np.newaxis] for output in outputs])


def joined(outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join outputs (N, T, classes) of different T; the further steps of the shorter are blank."""
    longest = max(output.shape[1] for output in outputs)
    rows, classes = sum(map(len, outputs)), outputs[0].shape[2]
    joined = np.zeros((rows, longest, classes), np.float32)
    joined[:, :, -1] = 1
    start = 0
    for output in outputs:
        joined[start : start + len(output), : output.shape[1]] = output
        start += len(output)
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
