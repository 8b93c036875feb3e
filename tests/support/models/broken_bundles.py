"""Every way in which a published version can be broken, and what is said of it."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.store.manifest import GOLDEN_PREDICTIONS, KERAS_MODEL, MANIFEST, ONNX_MODEL, FileEntry
from shared.store.store import ModelStore
from tests.support.models.bundles import SPEC, TIME_STEPS, onnx_graph, publish, serve_as_it_is

GOLDEN = "golden/0001.png"


@dataclass(frozen=True)
class Breakage:
    """What is done to a bundle's folder; the reason's label; a pattern of its sentence."""

    damage: Callable[[Path], object]
    part: str
    sentence: str


def serve_broken(store: ModelStore, build: Path, breakage: Breakage) -> int:
    """Publish a good version, break it, and only then make it current; return its number."""
    version = publish(store, build, promote=False).version
    breakage.damage(store.folder("default", version))
    serve_as_it_is(store, version)
    return version


def cut(name: str) -> Callable[[Path], object]:
    return lambda bundle: os.truncate(bundle / name, (bundle / name).stat().st_size // 2)


def flip_a_bit(name: str) -> Callable[[Path], object]:
    def flip(bundle: Path) -> None:
        data = bytearray((bundle / name).read_bytes())
        data[len(data) // 2] ^= 1
        (bundle / name).write_bytes(data)

    return flip


def manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def rewrite(bundle: Path) -> None:
        document = json.loads((bundle / MANIFEST).read_text())
        change(document)
        (bundle / MANIFEST).write_text(json.dumps(document))

    return rewrite


def listed(name: str, data: bytes) -> Callable[[Path], object]:
    """Replace a file, and its entry in the manifest: the hashes are right."""

    def replace(bundle: Path) -> None:
        (bundle / name).write_bytes(data)
        entry = FileEntry.of(bundle / name).model_dump()
        manifest(lambda document: document["files"].update({name: entry}))(bundle)

    return replace


def text(content: str) -> Callable[[Path], object]:
    return lambda bundle: (bundle / MANIFEST).write_text(content)


def linked(name: str) -> Callable[[Path], object]:
    """Move a file out of the bundle and leave a link to it."""

    def link(bundle: Path) -> None:
        outside = bundle.parent.parent / f"outside-{bundle.name}"
        shutil.move(bundle / name, outside)
        (bundle / name).symlink_to(outside)

    return link


def piped(name: str) -> Callable[[Path], object]:
    def pipe(bundle: Path) -> None:
        (bundle / name).unlink()
        os.mkfifo(bundle / name)

    return pipe


def a_file_instead(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.touch()


def golden(**changes: object) -> bytes:
    prediction = {"file": GOLDEN, "truth": "abc", "text": "abc", "confidence": 1.0}
    return json.dumps([{**prediction, **changes}]).encode()


def graph_of(*nodes: onnx.NodeProto, constants: tuple[TensorProto, ...] = ()) -> bytes:
    """Return an unchecked graph from the right input to an output of the right name."""
    graph = helper.make_graph(
        nodes,
        "broken",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *SPEC.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", None, None])],
        constants,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("elsewhere", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


def with_constant(constant: TensorProto) -> bytes:
    return graph_of(
        helper.make_node("Add", ["image", constant.name], ["probabilities"]), constants=(constant,)
    )


def external_data(location: str) -> bytes:
    constant = numpy_helper.from_array(np.zeros(1, np.float32), "constant")
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value=location)
    return with_constant(constant)


def huge_constant() -> bytes:
    return with_constant(
        TensorProto(name="constant", data_type=TensorProto.FLOAT, dims=[1 << 40], raw_data=b"0000")
    )


def huge_output() -> bytes:
    """A graph of a few bytes that would fill 4 terabytes."""
    size = numpy_helper.from_array(np.array([1 << 40], np.int64), "size")
    return graph_of(
        helper.make_node("ConstantOfShape", ["size"], ["constant"]),
        helper.make_node("Add", ["image", "constant"], ["probabilities"]),
        constants=(size,),
    )


BREAKAGES = {
    "h5 truncated": Breakage(cut(KERAS_MODEL), "files", r"prediction_model.h5 has \d+ bytes"),
    "graph truncated": Breakage(cut(ONNX_MODEL), "files", r"prediction_model.onnx has \d+ bytes"),
    "golden image truncated": Breakage(cut(GOLDEN), "files", r"0001.png has \d+ bytes"),
    "a bit of the h5": Breakage(flip_a_bit(KERAS_MODEL), "files", "h5 does not have the SHA-256"),
    "a bit of the graph": Breakage(flip_a_bit(ONNX_MODEL), "files", "onnx does not have the SHA"),
    "a bit of a golden image": Breakage(flip_a_bit(GOLDEN), "files", "png does not have the SHA"),
    "file missing": Breakage(lambda b: (b / GOLDEN).unlink(), "files", "0001.png cannot be read"),
    "file too many": Breakage(
        lambda b: (b / "golden" / "x").touch(), "files", "golden/x is there, but not listed"
    ),
    "link out of the bundle": Breakage(linked(GOLDEN), "files", "0001.png is a link"),
    "folder linked out of the bundle": Breakage(linked("golden"), "files", "golden is a link"),
    "pipe in place of a file": Breakage(piped(GOLDEN), "files", "0001.png is a link, or neither"),
    "manifest missing": Breakage(
        lambda b: (b / MANIFEST).unlink(), "manifest", "cannot be read: No such file"
    ),
    "manifest a pipe": Breakage(piped(MANIFEST), "manifest", "not a regular file"),
    "manifest half written": Breakage(cut(MANIFEST), "manifest", "not valid at document"),
    "manifest no JSON": Breakage(text("model: default"), "manifest", "not valid at document"),
    "manifest huge": Breakage(text(" " * 10_000_001), "manifest", "more than 10,000,000 bytes"),
    "manifest deeply nested": Breakage(text("[" * 100_000), "manifest", "not valid at document"),
    "manifest of a newer format": Breakage(
        manifest(lambda m: m.update(format=3, novelty=1)),
        "manifest",
        "of another format than 1 and 2",
    ),
    "unknown field": Breakage(
        manifest(lambda m: m.update(format=1, novelty=1)), "manifest", "novelty is not a field"
    ),
    "unknown requirement": Breakage(
        manifest(lambda m: m.update(requires=["novelty"])), "manifest", "requires novelty"
    ),
    "unknown field with a long name": Breakage(
        manifest(lambda m: m.update({"format": 1, "x" * 100_000: 1})), "manifest", "x{100} is not"
    ),
    "hash missing": Breakage(
        manifest(lambda m: m["files"][ONNX_MODEL].pop("sha256")), "manifest", "onnx.sha256: Field"
    ),
    "entry missing": Breakage(
        manifest(lambda m: m["files"].pop(ONNX_MODEL)), "manifest", "does not list prediction_model"
    ),
    "entry out of the bundle": Breakage(
        manifest(lambda m: m["files"].update({"../x": m["files"][ONNX_MODEL]})),
        "manifest",
        "lies outside the bundle",
    ),
    "another model's": Breakage(
        manifest(lambda m: m.update(model="plates")), "manifest", "is of plates/"
    ),
    "vocabulary too short for the output": Breakage(
        manifest(lambda m: m.update(vocabulary=["a", "b"], blank_index=2)), "graph", r"8, 4\)"
    ),
    "vocabulary too long for the output": Breakage(
        manifest(lambda m: m.update(vocabulary=[*"abcd"], blank_index=4)), "graph", r"8, 4\)"
    ),
    "other time steps": Breakage(
        manifest(lambda m: m.update(time_steps=TIME_STEPS + 1)), "graph", r"2, 9, 4\)"
    ),
    "other size of images": Breakage(
        manifest(lambda m: m["image"].update(width=SPEC.width + 1)), "graph", r"\(N, 16, 65, 1\)"
    ),
    "other colours": Breakage(
        manifest(lambda m: m["image"].update(channels=3)), "graph", r"\(N, 16, 64, 3\)"
    ),
    "no graph": Breakage(listed(ONNX_MODEL, b"no graph"), "graph", "cannot be run"),
    "graph with data outside": Breakage(
        listed(ONNX_MODEL, external_data("/etc/hostname")), "graph", "external data files"
    ),
    "graph with data beside it": Breakage(
        listed(ONNX_MODEL, external_data("golden/0001.png")), "graph", "external data files"
    ),
    "graph with an operation of its own": Breakage(
        listed(
            ONNX_MODEL,
            graph_of(
                helper.make_node("Surprise", ["image"], ["probabilities"], domain="elsewhere")
            ),
        ),
        "graph",
        "cannot be run",
    ),
    "graph with a huge constant": Breakage(
        listed(ONNX_MODEL, huge_constant()), "graph", "cannot be run"
    ),
    "graph with a huge output": Breakage(
        listed(ONNX_MODEL, huge_output()), "graph", "cannot be run"
    ),
    "graph that reads differently": Breakage(
        listed(ONNX_MODEL, onnx_graph(sharpness=2.0)), "golden", "in the trainer it was 'abc'"
    ),
    "golden predictions no JSON": Breakage(
        listed(GOLDEN_PREDICTIONS, b"["), "golden", "predictions.json is not valid"
    ),
    "golden predictions empty": Breakage(
        listed(GOLDEN_PREDICTIONS, b"[]"), "golden", "names no image"
    ),
    "golden predictions without end": Breakage(
        listed(GOLDEN_PREDICTIONS, json.dumps(json.loads(golden()) * 101).encode()),
        "golden",
        "at most 100 items",
    ),
    "another golden text": Breakage(
        listed(GOLDEN_PREDICTIONS, golden(text="abd")), "golden", "in the trainer it was 'abd'"
    ),
    "another golden confidence": Breakage(
        listed(GOLDEN_PREDICTIONS, golden(confidence=0.99)), "golden", r"0\.9900"
    ),
    "golden image elsewhere": Breakage(
        listed(GOLDEN_PREDICTIONS, golden(file="../x.png")), "golden", "not a file of the bundle"
    ),
    "golden image no image": Breakage(
        listed(GOLDEN, b"no image"), "golden", "0001.png: The data is not an image"
    ),
    "folder a file": Breakage(a_file_instead, "manifest", "cannot be read: Not a directory"),
    "folder gone": Breakage(shutil.rmtree, "manifest", "cannot be read: No such file"),
}
