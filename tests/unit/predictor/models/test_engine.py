from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from predictor.models.engine import BATCH, Engine
from shared.errors import BundleError, ImageRejectedError
from shared.recognition.decoding import DecodedText
from shared.store.manifest import ONNX_MODEL, read_manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import SPEC, TIME_STEPS, calibration, onnx_graph, png, publish


def bundle(tmp_path: Path, graph: bytes | None = None) -> Path:
    store = ModelStore(tmp_path / "models")
    files = {ONNX_MODEL: graph} if graph is not None else {}
    return store.folder("default", publish(store, tmp_path / "build", files=files).version)


def load(folder: Path) -> Engine:
    return Engine.load(folder, read_manifest(folder))


def test_images_are_read_in_order_whatever_their_number(tmp_path: Path) -> None:
    engine = load(bundle(tmp_path))
    texts = ["abca", "a", "cc", "", "bab"] * BATCH
    assert [
        prediction.text for prediction in engine.predict([png(text) for text in texts])
    ] == texts
    assert engine.predict([]) == []


def test_an_image_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    engine = load(bundle(tmp_path))
    first, bad, last = engine.predict_each([png("ab"), b"no image", png("c")])
    assert isinstance(first, DecodedText)
    assert isinstance(bad, ImageRejectedError)
    assert isinstance(last, DecodedText)
    assert (first.text, last.text) == ("ab", "c")
    with pytest.raises(ImageRejectedError):
        engine.predict([png("ab"), b"no image"])


def one_image_at_a_time() -> bytes:
    model = onnx.load_from_string(onnx_graph())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return bytes(model.SerializeToString())


def not_probabilities() -> bytes:
    model = onnx.load_from_string(onnx_graph())
    model.graph.node[-1].op_type = "Sigmoid"
    del model.graph.node[-1].attribute[:]
    return bytes(model.SerializeToString())


def other_input(kind: int, shape: tuple[int, ...]) -> bytes:
    value = helper.make_tensor_value_info("image", kind, ["N", *shape])
    out = helper.make_tensor_value_info("out", kind, ["N", *shape])
    node = helper.make_node("Identity", ["image"], ["out"])
    model = helper.make_model(
        helper.make_graph([node], "other", [value], [out]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    return bytes(model.SerializeToString())


BROKEN = {
    "no graph": (b"no graph at all", "cannot be run"),
    "half a graph": (onnx_graph()[:200], "cannot be run"),
    "other time steps": (onnx_graph(time_steps=TIME_STEPS // 2), r"\(2, 4, 4\)"),
    "other vocabulary": (onnx_graph("abcd"), r"\(2, 8, 5\)"),
    "other size": (other_input(TensorProto.FLOAT, (9, 9, 1)), r"\(N, 16, 64, 1\)"),
    "other type": (
        other_input(TensorProto.DOUBLE, (SPEC.height, SPEC.width, 1)),
        r"tensor\(double\)",
    ),
    "no probabilities": (not_probabilities(), "probabilities"),
    "one image only": (one_image_at_a_time(), "cannot be run"),
}


@pytest.mark.parametrize(("graph", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_graph_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, graph: bytes, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason):
        load(bundle(tmp_path, graph))


def test_a_changed_or_missing_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    manifest = read_manifest(folder)
    (folder / ONNX_MODEL).write_bytes(onnx_graph(sharpness=300))
    with pytest.raises(BundleError, match="SHA-256"):
        Engine.load(folder, manifest)
    (folder / ONNX_MODEL).unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        Engine.load(folder, manifest)


def test_confidences_are_at_the_temperature_of_the_manifest(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    files = {ONNX_MODEL: onnx_graph(sharpness=20.0)}
    predictions = {}
    for temperature in (1.0, 2.0):
        published = publish(
            store,
            tmp_path / f"build-{temperature}",
            files=files,
            change=lambda m, t=temperature: m.model_copy(update={"calibration": calibration(t)}),  # type: ignore[misc]
        )
        (predictions[temperature],) = load(store.folder("default", published.version)).predict(
            [png("ab")]
        )
    assert predictions[1.0].text == predictions[2.0].text
    assert predictions[2.0].confidence < 0.9 * predictions[1.0].confidence
