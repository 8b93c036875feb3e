"""One ONNX graph of a bundle: loaded from memory, checked, and run with a time limit."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from predictor.models.graphs.time_limit import time_limit
from shared.errors import BundleError
from shared.store.manifest import Manifest, read_file

RUN_SECONDS = 30.0
"""Longest time for a batch, which takes milliseconds: a loop in the graph could last for good."""

SHRINKING = "memory.enable_memory_arena_shrinkage"
"""ONNX Runtime's name of an option of a run."""

ONLY_FATAL = 4
"""ONNX Runtime's log level: errors are raised, and must not be printed among the JSON lines too."""

MAX_GRAPH_BYTES = 500_000_000
EXTERNAL_DATA = b"\n\x08location"
"""The field of an ONNX file that names an external data file, whose hash nothing would check."""


class BundleGraph:
    """A graph with one input and one output; thread-safe."""

    def __init__(self, session: onnxruntime.InferenceSession, name: str) -> None:
        self.name = name
        self._session = session
        self._input = session.get_inputs()[0].name

    @classmethod
    def load(cls, folder: Path, manifest: Manifest, name: str, *, threads: int) -> "BundleGraph":
        """Load a graph of a bundle; raises BundleError if it is not the file of the manifest.

        threads: ONNX Runtime's threads for one run.
        """
        # Read once, then hashed and loaded from memory: the file may change in between.
        data = read_file(folder, name, "graph", MAX_GRAPH_BYTES)
        if hashlib.sha256(data).hexdigest() != manifest.files[name].sha256:
            message = f"{name} does not have the SHA-256 that the manifest says."
            raise BundleError(message, "files")
        if EXTERNAL_DATA in data:
            raise BundleError(f"{name} refers to external data files.", "graph")
        with runnable(name):
            return cls(_session(data, threads), name)

    def run(self, values: NDArray[np.float32], *, give_back: bool = False) -> NDArray[np.float32]:
        """Return the graph's output.

        give_back: whether ONNX Runtime releases the memory that the run took, instead of keeping it
        for the next. Raises BundleError if it takes longer than RUN_SECONDS.
        """
        with time_limit(RUN_SECONDS) as options:
            if give_back:
                options.add_run_config_entry(SHRINKING, "cpu:0")
            try:
                return np.asarray(self._session.run(None, {self._input: values}, options)[0])
            except Exception as error:
                if not options.terminate:
                    raise
                message = f"{self.name} ran for more than {RUN_SECONDS:.0f} s on an image."
                raise BundleError(message, "graph") from error

    def require_signature(self, shape: tuple[int | None, ...]) -> None:
        """Raise BundleError unless it takes float32 (N, *shape) and has one output."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise BundleError(
                f"{self.name} has {len(inputs)} inputs and {len(outputs)} outputs, not one each.",
                "graph",
            )
        taken = tuple(None if isinstance(each, str) else each for each in inputs[0].shape[1:])
        if inputs[0].type != "tensor(float)" or taken != shape:
            raise BundleError(
                f"{self.name} takes {inputs[0].type} {inputs[0].shape}, "
                f"the manifest says float32 (N, {', '.join(map(str, shape))}).",
                "graph",
            )


@contextmanager
def runnable(name: str) -> Iterator[None]:
    """Raise BundleError for any error of ONNX Runtime, whose errors have no common base class."""
    try:
        yield
    except BundleError:
        raise
    except Exception as error:
        raise BundleError(f"{name} cannot be run: {error}", "graph") from error


def _session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ONLY_FATAL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
