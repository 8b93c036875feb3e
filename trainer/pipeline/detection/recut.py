"""Cuts the lines of a set out of their photographs once more, as a detector finds them."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.lines.corners import (
    Corners,
    angle,
    in_reading_order,
    overlap,
    size_of,
    straighten,
)
from shared.recognition.lines.detection import Run, find_line
from shared.recognition.lines.spec import DetectorSpec
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.sources.marked.boxes import CutSource, Span, png
from trainer.pipeline.datasets.sources.marked.photographs import Photographs
from trainer.pipeline.datasets.sources.threads import map_in_threads

ALIKE = 0.5
"""The least overlap of a line that the detector's errors are taken from: it has found that line."""


@dataclass(frozen=True)
class Located:
    """What the detector has found in one photograph."""

    name: str
    """Of the line."""
    size: tuple[int, int]
    found: Corners | None
    truth: Corners | None

    @property
    def overlap(self) -> float:
        """Intersection over union with the true line; 0 where either is missing."""
        return overlap(self.found, self.truth) if self.found and self.truth else 0.0


class Recut:
    """The lines that are cut again, in a file; the others stay as they were."""

    def __init__(self, photographs: Photographs, spec: DetectorSpec, run: Run, path: Path) -> None:
        self._photographs = photographs
        self._spec = spec
        self._run = run
        self._path = path
        self._cuts: dict[str, Span] = {}
        self._written = 0
        self._lock = threading.Lock()
        path.write_bytes(b"")

    def as_found(self, images: Sequence[LabelledImage]) -> list[Located]:
        """Cut each line as the detector finds it, if it does; return where."""
        return list(map_in_threads(lambda image: self._as_found(image.name), images))

    def _as_found(self, name: str) -> Located:
        image, truth = self._photographs.open(name)
        found = find_line(image, self._spec, self._run)
        if found is not None:
            self._write(name, straighten(image, found.corners))
        return Located(name, image.size, found and found.corners, truth)

    def as_if_found(
        self, images: Sequence[LabelledImage], measured: Sequence[Located], seed: int
    ) -> list[Located]:
        """Cut each line with the error of one that was measured; those without a place as found.

        Where the detector finds the lines that it has learned from, it errs less.
        """
        errors = [
            error_of(each.truth, each.found)
            for each in measured
            if each.truth and each.found and each.overlap >= ALIKE
        ]
        chosen = np.random.default_rng(seed).integers(0, max(1, len(errors)), len(images))
        pairs = [
            (image.name, errors[at] if errors else np.zeros((4, 2)))
            for image, at in zip(images, chosen.tolist(), strict=True)
        ]
        return list(map_in_threads(lambda pair: self._as_if_found(*pair), pairs))

    def _as_if_found(self, name: str, error: NDArray[np.float64]) -> Located:
        image, truth = self._photographs.open(name)
        if truth is None:
            return self._as_found(name)
        found = with_error(truth, error)
        self._write(name, straighten(image, found))
        return Located(name, image.size, found, truth)

    def _write(self, name: str, line: Image.Image) -> None:
        data = png(line)
        with self._lock, self._path.open("ab") as file:
            file.write(data)
            self._cuts[name] = Span(self._written, len(data))
            self._written += len(data)

    def source(self) -> CutSource:
        """Return the set with the lines as they are now."""
        return CutSource(self._photographs.source, self._path, self._cuts)


def error_of(truth: Corners, found: Corners) -> NDArray[np.float64]:
    """Return how far each corner was found from its place: (4, 2), along the line and across it.

    In heights of the line.
    """
    return (np.array(found) - truth) @ _along(truth).T / size_of(truth)[1]


def with_error(truth: Corners, error: NDArray[np.float64]) -> Corners:
    """Return corners as they would be found with this error."""
    moved = np.array(truth) + error @ _along(truth) * size_of(truth)[1]
    try:
        return in_reading_order([(x, y) for x, y in moved.tolist()])
    except ValueError:  # of a line unlike that whose error it is
        return truth


def _along(corners: Corners) -> NDArray[np.float64]:
    """Return the matrix that takes (x, y) to the directions along a line and across it."""
    turn = math.radians(angle(corners))
    return np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
