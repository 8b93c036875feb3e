"""The detector of a loaded version: finds the line in a photograph, and cuts it out."""

import numpy as np
from PIL import Image

from predictor.models.graphs.graph import BundleGraph, runnable
from shared.errors import BundleError
from shared.recognition.lines.detection import FoundLine, cut_found
from shared.recognition.lines.spec import DetectorSpec


class Detector:
    """A graph that finds the corners of a line; thread-safe."""

    def __init__(self, graph: BundleGraph, spec: DetectorSpec) -> None:
        self._graph = graph
        self._spec = spec

    def cut(self, image: Image.Image) -> tuple[Image.Image, FoundLine] | None:
        """Return the line in an opened image, and where it is; None if there is none."""
        return cut_found(image, self._spec, self._graph.run)

    def check(self) -> None:
        """Run the graph on black views; raises BundleError if it is not what its spec says."""
        side = self._spec.side
        self._graph.require_signature((side, side, 3))
        batch = 2  # a graph with a fixed batch of one would pass with one
        with runnable(self._graph.name):
            found = self._graph.run(np.zeros((batch, side, side, 3), np.float32))
        expected = (batch, 4, self._spec.cells**2 + 1)
        if found.dtype != np.float32 or found.shape != expected:
            raise BundleError(
                f"{self._graph.name} returns {found.dtype} {found.shape}, the manifest says "
                f"float32 {expected} (images, corners, cells and nowhere).",
                "graph",
            )
        if not np.allclose(found.sum(axis=2), 1.0, atol=1e-3) or found.min() < 0:
            raise BundleError(f"{self._graph.name} does not return probabilities.", "graph")

    def give_back(self) -> None:
        """Release the memory that the runs so far have taken."""
        side = self._spec.side
        self._graph.run(np.zeros((1, side, side, 3), np.float32), give_back=True)
