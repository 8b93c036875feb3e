"""Keras h5 files that mean harm, and what is said of each; written with h5py, without Keras."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CLASSES = 6
DENSE = {"name": "out", "units": CLASSES, "activation": "softmax"}


@dataclass(frozen=True)
class Hostile:
    """How the file is written; the code of the error, and a pattern of its sentence."""

    write: Callable[[Path], object]
    code: str
    sentence: str


def layer(class_name: str, config: dict[str, Any], before: str, **more: object) -> dict[str, Any]:
    """Describe a layer that follows another one."""
    node = [[before, 0, 0, {}]]
    described = {"class_name": class_name, "config": config, "name": config["name"]}
    return {**described, "inbound_nodes": [node], **more}


def graph(*layers: dict[str, Any], shape: tuple[int, ...] = (40, 16, 1)) -> dict[str, Any]:
    """Describe a functional model: images, these layers, one after the other."""
    images = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, *shape], "dtype": "float32", "name": "image"},
        "name": "image",
        "inbound_nodes": [],
    }
    last = layers[-1]["name"]
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [images, *layers],
            "input_layers": [["image", 0, 0]],
            "output_layers": [[last, 0, 0]],
        },
    }


def reader(
    units: int = CLASSES, activation: object = "softmax", shape: tuple[int, ...] = (40, 16, 1)
) -> dict[str, Any]:
    """Describe a model that is fine unless told otherwise."""
    columns = {"name": "columns", "target_shape": [shape[0], shape[1] * shape[2]]}
    out = {"name": "out", "units": units, "activation": activation}
    return graph(layer("Reshape", columns, "image"), layer("Dense", out, "columns"), shape=shape)


def with_layer(class_name: str, config: dict[str, Any], **more: object) -> dict[str, Any]:
    """Describe a model with one more layer, before its output."""
    columns = {"name": "columns", "target_shape": [40, 16]}
    return graph(
        layer("Reshape", columns, "image"),
        layer(class_name, {"name": "more", **config}, "columns", **more),
        layer("Dense", DENSE, "more"),
    )


LAMBDA = {
    "class_name": "Lambda",
    "config": {
        "name": "inner",
        "function": {"class_name": "__lambda__", "config": {"value": "4wAAAAAAAAAA"}},
    },
}


def write(path: Path, config: object, kernel: tuple[int, ...] = (16, CLASSES)) -> None:
    """Write the file as Keras 2 did: the configuration, and the output layer's weights."""
    text = config if isinstance(config, str | bytes) else json.dumps(config)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = text
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"out"]
        weights.attrs["keras_version"] = b"2.15.0"
        weights.attrs["backend"] = b"tensorflow"
        out = weights.create_group("out")
        out.attrs["weight_names"] = [b"out/kernel:0", b"out/bias:0"]
        out.create_dataset("out/kernel:0", data=np.zeros(kernel, np.float32))
        out.create_dataset("out/bias:0", data=np.zeros(kernel[-1:], np.float32))


def described(config: object, **weights: tuple[int, ...]) -> Callable[[Path], None]:
    return lambda path: write(path, config, **weights)


def changed(change: Callable[[h5py.Group], object]) -> Callable[[Path], None]:
    """Write a good file, then change the group of the output layer's weights."""

    def write_changed(path: Path) -> None:
        write(path, reader())
        with h5py.File(path, "r+") as file:
            change(file["model_weights/out/out"])

    return write_changed


def nested(weights: h5py.Group, levels: int = 2000) -> None:
    """Nest groups in one another."""
    for _ in range(levels):
        weights = weights.create_group("g")


def kernel_replaced(replace: Callable[[h5py.Group], object]) -> Callable[[Path], None]:
    def change(weights: h5py.Group) -> None:
        del weights["kernel:0"]
        replace(weights)

    return changed(change)


def external_dataset(weights: h5py.Group) -> None:
    where = [("/etc/passwd", 0, 16 * CLASSES * 4)]
    weights.create_dataset("kernel:0", (16, CLASSES), np.float32, external=where)


def virtual_dataset(weights: h5py.Group) -> None:
    layout = h5py.VirtualLayout((16, CLASSES), np.float32)
    layout[:] = h5py.VirtualSource("/etc/other.h5", "kernel", (16, CLASSES))
    weights.create_virtual_dataset("kernel:0", layout)


def inflated(weights: h5py.Group) -> None:
    """A terabyte that takes no room in the file."""
    weights.create_dataset("kernel:0", (1 << 20, 1 << 18), np.float32, chunks=(1024, 1024))


def cut(path: Path) -> None:
    write(path, reader())
    path.write_bytes(path.read_bytes()[:1500])


def weights_alone(path: Path) -> None:
    write(path, reader())
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]


def flipped(path: Path) -> None:
    """Damage the inner structure, which HDF5 finds out by itself."""
    write(path, reader())
    data = bytearray(path.read_bytes())
    data[96:2000] = bytes(b ^ 0x55 for b in data[96:2000])
    path.write_bytes(data)


UNREADABLE, FORBIDDEN, TOO_LARGE = "model_unreadable", "model_not_allowed", "model_too_large"

HOSTILE = {
    "Lambda": Hostile(
        described(with_layer("Lambda", LAMBDA["config"] | {"name": "more"})),  # type: ignore[operator]
        FORBIDDEN,
        "It has a '(Lambda|__lambda__)'",
    ),
    "Lambda in a nested functional model": Hostile(
        described(with_layer("Functional", {"layers": [LAMBDA]})),
        FORBIDDEN,
        "It has a 'Functional'",
    ),
    "Lambda in a nested sequential model": Hostile(
        described(with_layer("Sequential", {"layers": [LAMBDA]})),
        FORBIDDEN,
        "It has a 'Sequential'",
    ),
    "Lambda in a wrapper": Hostile(
        described(with_layer("TimeDistributed", {"layer": LAMBDA})),
        FORBIDDEN,
        "It has a '(Lambda|__lambda__)'",
    ),
    "layer of one's own": Hostile(
        described(with_layer("CTCLayer", {})), FORBIDDEN, "It has a 'CTCLayer'"
    ),
    "class of another module": Hostile(
        described(with_layer("Dense", {"units": 3}, module="subprocess")),
        FORBIDDEN,
        "'Dense' is of module 'subprocess'",
    ),
    "class of a module within Keras": Hostile(
        described(with_layer("Dense", {"units": 3}, module="keras.src.utils.python_utils")),
        FORBIDDEN,
        "is of module 'keras.src",
    ),
    "registered class": Hostile(
        described(with_layer("Dense", {"units": 3}, registered_name="evil>Dense")),
        FORBIDDEN,
        "registered as 'evil>Dense'",
    ),
    "function": Hostile(
        described(
            reader(activation={"class_name": "function", "config": "exec", "module": "builtins"})
        ),
        FORBIDDEN,
        "'function'",
    ),
    "type specification": Hostile(
        described(reader(activation={"class_name": "TypeSpec", "type_spec": "x"})),
        FORBIDDEN,
        "'TypeSpec'",
    ),
    "class name that is a list": Hostile(
        described(reader(activation={"class_name": ["Dense"]})), FORBIDDEN, "It has a "
    ),
    "subclassed model": Hostile(
        described({"class_name": "Evil", "config": {}}), FORBIDDEN, "not that of a functional"
    ),
    "a billion units": Hostile(described(reader(10**9)), TOO_LARGE, "units is 1000000000"),
    "a billion columns": Hostile(
        described(reader(shape=(10**9, 16, 1))), TOO_LARGE, "is 1000000000"
    ),
    "a number without end": Hostile(described(reader(10**400)), TOO_LARGE, "units is 10{39}"),
    "a number that is none": Hostile(
        described(reader(float("nan"))),  # type: ignore[arg-type]
        TOO_LARGE,
        "units is nan",
    ),
    "a long configuration": Hostile(
        described(reader() | {"padding": "x" * 2_000_000}), TOO_LARGE, "has 2,000,"
    ),
    "too many weights": Hostile(kernel_replaced(inflated), TOO_LARGE, "more than 200,000,000 byt"),
    "external link": Hostile(
        kernel_replaced(lambda w: w.update({"kernel:0": h5py.ExternalLink("/etc/x.h5", "/k")})),
        FORBIDDEN,
        "kernel:0 is a link to another object",
    ),
    "soft link": Hostile(
        kernel_replaced(lambda w: w.update({"kernel:0": h5py.SoftLink("/model_weights")})),
        FORBIDDEN,
        "kernel:0 is a link to another object",
    ),
    "external data": Hostile(
        kernel_replaced(external_dataset), FORBIDDEN, "kernel:0 is in another file"
    ),
    "virtual data": Hostile(
        kernel_replaced(virtual_dataset), FORBIDDEN, "kernel:0 is in another file"
    ),
    "groups in one another": Hostile(
        changed(nested), TOO_LARGE, "nests groups more than 30 levels deep"
    ),
    "truncated": Hostile(cut, UNREADABLE, "truncated file"),
    "damaged within": Hostile(flipped, UNREADABLE, "is not a Keras model: "),
    "no HDF5": Hostile(lambda p: p.write_text("hello"), UNREADABLE, "is not an HDF5 file"),
    "empty": Hostile(lambda p: p.touch(), UNREADABLE, "is not an HDF5 file"),
    "HDF5 by name only": Hostile(
        lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000)), UNREADABLE, "not a Keras model"
    ),
    "weights alone": Hostile(weights_alone, UNREADABLE, "no model_config"),
    "configuration no JSON": Hostile(described("{model: 1}"), UNREADABLE, "not a Keras model: "),
    "configuration no text": Hostile(described(b"\xff\xfe"), UNREADABLE, "not a Keras model: "),
    "configuration nested deeply": Hostile(
        described("[" * 10_000 + "]" * 10_000), UNREADABLE, "nested too deeply"
    ),
    "configuration a list": Hostile(described([1]), FORBIDDEN, "not that of a functional"),
}
"""What is refused before Keras is loaded."""

MISFITS = {
    "weights of another shape": Hostile(
        described(reader(), kernel=(15, CLASSES)), UNREADABLE, r"Shape mismatch"
    ),
    "weights of far too large a layer": Hostile(
        described(reader(100_000, shape=(100_000, 500, 100))), UNREADABLE, "Shape mismatch"
    ),
    "layers that lead nowhere": Hostile(
        described(graph(layer("Dense", DENSE, "nowhere"))), UNREADABLE, "cannot be loaded by Keras"
    ),
    "nested almost too deeply": Hostile(
        described(reader(activation=json.loads("[" * 500 + "]" * 500))),
        UNREADABLE,
        "cannot be loaded by Keras",
    ),
}
"""What only Keras can tell; refused before anything large is built."""


def swollen() -> dict[str, Any]:
    """Describe a model of a few bytes that needs 6 GB for one image."""
    padding = {"name": "wide", "padding": [[20_000, 20_000], [20_000, 20_000]]}
    pooling = {"name": "small", "pool_size": [1001, 2501]}
    columns = {"name": "columns", "target_shape": [40, 16]}
    return graph(
        layer("ZeroPadding2D", padding, "image"),
        layer("MaxPooling2D", pooling, "wide"),
        layer("Reshape", columns, "small"),
        layer("Dense", DENSE, "columns"),
    )


BUILT = {
    "an image that takes 6 GB": Hostile(
        described(swollen()), UNREADABLE, "cannot be converted|of memory"
    ),
    "no softmax": Hostile(
        described(reader(activation="linear")), "model_not_inference", "output is not probabilities"
    ),
    "no time steps": Hostile(
        described(graph(layer("Dense", DENSE, "image")), kernel=(1, CLASSES)),
        "model_shape",
        "The model maps",
    ),
    "images of four channels": Hostile(
        described(reader(shape=(40, 4, 4))), "model_shape", "takes images of shape"
    ),
    "images that are too small": Hostile(
        described(reader(shape=(40, 4, 1)), kernel=(4, CLASSES)),
        "model_shape",
        "takes images of 40x4 pixels",
    ),
}
"""What is refused once it has been built."""
