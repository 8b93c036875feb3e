"""A real, tiny detector: it finds what is gray on blue, as photographs for tests are drawn."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from shared.recognition.lines.corners import Corners, perspective
from shared.recognition.lines.spec import DetectorSpec
from shared.store.manifest import (
    DETECTOR,
    DETECTOR_KERAS,
    DETECTOR_ONNX,
    GOLDEN_PREDICTIONS,
    ONNX_MODEL,
    GoldenPrediction,
    Manifest,
)
from shared.store.store import ModelStore
from tests.support.models import bundles

DETECTOR_SPEC = DetectorSpec(side=256, cells=64, least_score=0.2)
BLUE = (0, 0, 255)
PHOTOGRAPH = (640, 480)
CORNERS: Corners = ((200, 150), (392, 168), (388, 216), (196, 198))


def photograph(
    text: str, corners: Corners = CORNERS, size: tuple[int, int] = PHOTOGRAPH
) -> Image.Image:
    """Draw the stripes of a text into a blue photograph."""
    line = bundles.image(text).resize((512, 128), Image.Resampling.NEAREST)
    data = perspective(corners, ((0, 0), (512, 0), (512, 128), (0, 128)))
    transform, nearest = Image.Transform.PERSPECTIVE, Image.Resampling.NEAREST
    mask = Image.new("L", line.size, 255).transform(size, transform, data, nearest)
    whole = Image.new("RGB", size, BLUE)
    whole.paste(line.transform(size, transform, data, nearest).convert("RGB"), mask=mask)
    return whole


def photograph_file(text: str, corners: Corners = CORNERS) -> bytes:
    """Return a photograph as a PNG file."""
    return bundles.encoded(photograph(text, corners))


def detector_graph(*, gain: float = 20.0, cells: int = DETECTOR_SPEC.cells) -> bytes:
    """Return the graph: views (N, 256, 256, 3) to probabilities (N, 4, cells * cells + 1).

    A kernel for each corner answers where a quarter of it, and no more, is gray, not blue.
    """
    kernels = np.zeros((4, 3, 8, 8), np.float32)
    quarters = ((4, 4), (4, 0), (0, 0), (0, 4))  # where the line is, seen from each corner
    for kernel, (top, left) in zip(kernels, quarters, strict=True):
        redder = np.full((8, 8), -1 / 3, np.float32)
        redder[top : top + 4, left : left + 4] = 1
        kernel[0], kernel[2] = redder / 16, -redder / 16
    stride = DETECTOR_SPEC.side // cells
    constants = {
        "kernels": kernels,
        "around": np.array([0, 0, 2, 2, 0, 0, 2, 2], np.int64),
        "gain": np.float32(gain),
        "cells": np.array([0, 4, cells * cells], np.int64),
        "nowhere": np.full((1, 4, 1), 15.0, np.float32),
        "first": np.array([0], np.int64),
        "rest": np.array([4, 1], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["views"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Pad", ["channels", "around"], ["wider"], mode="edge"),
        helper.make_node("Conv", ["wider", "kernels"], ["found"], strides=[stride, stride]),
        helper.make_node("Mul", ["found", "gain"], ["sure"]),
        helper.make_node("Reshape", ["sure", "cells"], ["maps"]),
        helper.make_node("Shape", ["views"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["count"]),
        helper.make_node("Concat", ["count", "rest"], ["each"], axis=0),
        helper.make_node("Expand", ["nowhere", "each"], ["absent"]),
        helper.make_node("Concat", ["maps", "absent"], ["answers"], axis=2),
        helper.make_node("Softmax", ["answers"], ["probabilities"], axis=-1),
    ]
    side = DETECTOR_SPEC.side
    graph = helper.make_graph(
        nodes,
        "gray on blue",
        [helper.make_tensor_value_info("views", TensorProto.FLOAT, ["N", side, side, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def detects(manifest: Manifest) -> Manifest:
    """Change a manifest to one of a model with a detector."""
    return manifest.model_copy(update={"requires": (DETECTOR,), "detector": DETECTOR_SPEC})


def detector_files(graph: bytes | None = None) -> dict[str, bytes]:
    """Return the files of a bundle with a detector that differ from one without."""
    golden = [
        GoldenPrediction(file=f"golden/{number:04}.png", truth=text, text=text, confidence=1.0)
        for number, text in enumerate(("abca", "aa", "c"), 1)
    ]
    return {
        # Cuts are never quite where the stripes are.
        ONNX_MODEL: bundles.onnx_graph(sharpness=4000),
        DETECTOR_KERAS: b"\x89HDF\r\n\x1a\n, of which nothing is read here",
        DETECTOR_ONNX: detector_graph() if graph is None else graph,
        GOLDEN_PREDICTIONS: json.dumps([each.model_dump() for each in golden]).encode(),
        **{each.file: photograph_file(each.truth) for each in golden},
    }


def publish_detector(store: ModelStore, build: Path, graph: bytes | None = None) -> Manifest:
    """Publish a bundle with a detector as the next version of the model default."""
    return bundles.publish(store, build, files=detector_files(graph), change=detects)
