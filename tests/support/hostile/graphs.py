"""ONNX graphs of a few hundred bytes that hang, fill or crash the process that runs them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.models.bundles import SPEC, onnx_graph

TRIPS = 1 << 62


def endless() -> bytes:
    """Return a graph with a loop that ends in a hundred years."""
    return _graph([_loop([])])


def hungry() -> bytes:
    """Return a graph with a loop that keeps a megabyte of each trip."""
    size = helper.make_tensor("", TensorProto.INT64, [1], [250_000])
    filled = [
        helper.make_node("Constant", [], ["size"], value=size),
        helper.make_node("ConstantOfShape", ["size"], ["megabyte"]),
    ]
    return _graph([_loop(filled, "megabyte")])


def crashing() -> bytes:
    """Return a graph that divides the least integer by -1, which ends a process with SIGFPE."""
    least = numpy_helper.from_array(np.array(-(1 << 63), np.int64), "least")
    one = numpy_helper.from_array(np.array(1, np.int64), "one")
    nodes = [
        # Computed from the image, or it would be divided while the graph is loaded.
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Sub", ["shape", "shape"], ["zeros"]),
        helper.make_node("Add", ["zeros", "least"], ["dividend"]),
        helper.make_node("Sub", ["zeros", "one"], ["divisor"]),
        helper.make_node("Div", ["dividend", "divisor"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["out"], to=TensorProto.FLOAT),
    ]
    return _graph(nodes, [least, one])


def endless_on_light() -> bytes:
    """Return a good graph with a loop that ends at once for black images, and for no others.

    Its output is that of bundles.onnx_graph: what is loaded with black images shows nothing.
    """
    model = onnx.load_from_string(onnx_graph())
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(TRIPS, np.float64), "trips of light"),
            numpy_helper.from_array(np.array(True), "true"),
        ]
    )
    model.graph.node[0].input[0] = "out"
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["light"], keepdims=0),
        helper.make_node("Ceil", ["light"], ["any"]),
        helper.make_node("Cast", ["any"], ["any light"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["any light", "trips of light"], ["many"]),
        helper.make_node("Cast", ["many"], ["trips"], to=TensorProto.INT64),
        _loop([]),
    ]
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def _value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _loop(nodes: list[onnx.NodeProto], scanned: str | None = None) -> onnx.NodeProto:
    """Return a loop that carries the image, and collects one value of each trip if told which."""
    further = [scanned] if scanned else []
    body = helper.make_graph(
        [
            *nodes,
            helper.make_node("Identity", ["before"], ["kept"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _value("before"),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            _value("kept"),
            *map(_value, further),
        ],
    )
    return helper.make_node("Loop", ["trips", "true", "image"], ["out", *further], body=body)


def _graph(nodes: list[onnx.NodeProto], constants: list[TensorProto] | None = None) -> bytes:
    """Return a graph of the right input and output, made of nodes from image to out."""
    trips = numpy_helper.from_array(np.array(TRIPS, np.int64), "trips")
    true = numpy_helper.from_array(np.array(True), "true")
    graph = helper.make_graph(
        [*nodes, helper.make_node("Softmax", ["out"], ["probabilities"])],
        "hostile",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *SPEC.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", None, None])],
        constants or [trips, true],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())
