"""Versions that find the line in a photograph."""

import json
from pathlib import Path

import onnx
import pytest
from PIL import Image

from predictor.models.engine import NOTHING_FOUND, Engine
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.errors import BundleError
from shared.patterns.limits import Limits
from shared.recognition.lines.corners import overlap, scaled
from shared.store.manifest import DETECTOR_ONNX, MANIFEST, read_manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import encoded, png, publish
from tests.support.models.detectors import (
    BLUE,
    CORNERS,
    detector_graph,
    photograph,
    photograph_file,
    publish_detector,
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def engine(store: ModelStore, tmp_path: Path) -> Engine:
    version = publish_detector(store, tmp_path / "build").version
    folder = store.folder("default", version)
    return Engine.load(folder, read_manifest(folder))


NOTHING = encoded(Image.new("RGB", (320, 240), BLUE))


def test_a_photograph_is_read_where_its_line_is(engine: Engine) -> None:
    first, none, last = engine.predict([photograph_file("abca"), NOTHING, photograph_file("cc")])
    assert (first.text, last.text) == ("abca", "cc")
    assert first.corners is not None
    assert overlap(first.corners, CORNERS) > 0.85
    assert none is NOTHING_FOUND
    assert (none.text, none.confidence, none.corners) == ("", 0.0, None)


def test_a_search_reads_it_there_too(engine: Engine) -> None:
    limits = Limits(pattern="[abc]{3}")
    found, none = engine.search_each([photograph_file("abc"), NOTHING], limits, 2)
    assert found is not None
    assert not isinstance(found, Exception)
    assert found.text == "abc"
    assert found.corners is not None
    assert none is NOTHING_FOUND


def test_lines_that_are_cut_already_are_read_as_they_are(engine: Engine) -> None:
    (prediction,) = engine.for_lines().predict([png("bca")])
    assert (prediction.text, prediction.corners) == ("bca", None)


def test_corners_are_those_of_the_image_that_was_sent(engine: Engine) -> None:
    large = photograph("abca").resize((5120, 3840), Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = large.transpose(Image.Transpose.ROTATE_90)
    data = encoded(lying, "JPEG", quality=95, subsampling=0, exif=exif)
    (prediction,) = engine.predict([data])
    assert prediction.text == "abca"
    assert prediction.corners is not None
    assert overlap(prediction.corners, scaled(CORNERS, 8)) > 0.8


def test_the_input_shown_is_the_line(engine: Engine) -> None:
    seen = engine.input_of(photograph_file("cccc"))
    assert seen is not None
    assert seen.shape == (16, 64, 1)
    assert engine.input_of(NOTHING) is None


def other_cells() -> bytes:
    return detector_graph(cells=32)


def no_probabilities() -> bytes:
    model = onnx.load_from_string(detector_graph())
    model.graph.node[-1].op_type = "Sigmoid"
    del model.graph.node[-1].attribute[:]
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        (b"no graph", "detector.onnx cannot be run"),
        (other_cells(), r"returns float32 \(2, 4, 1025\)"),
        (no_probabilities(), "detector.onnx does not return probabilities"),
    ],
)
def test_a_broken_detector_is_refused(
    graph: bytes, why: str, store: ModelStore, tmp_path: Path
) -> None:
    version = publish_detector(store, tmp_path / "build", graph).version
    folder = store.folder("default", version)
    with pytest.raises(BundleError, match=why):
        Engine.load(folder, read_manifest(folder))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"requires": []}, "detector and requires contradict"),
        ({"detector": None}, "detector and requires contradict"),
        ({"requires": ["detector", "smell"]}, "requires smell, which this release does not know"),
    ],
)
def test_a_manifest_must_say_of_its_detector_what_a_reader_needs(
    change: dict[str, object], why: str, store: ModelStore, tmp_path: Path
) -> None:
    version = publish_detector(store, tmp_path / "build").version
    folder = store.folder("default", version)
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(document | change))
    with pytest.raises(BundleError, match=why):
        read_manifest(folder)


def test_a_manifest_lists_the_files_of_its_detector(store: ModelStore, tmp_path: Path) -> None:
    version = publish_detector(store, tmp_path / "build").version
    folder = store.folder("default", version)
    document = json.loads((folder / MANIFEST).read_text())
    del document["files"][DETECTOR_ONNX]
    (folder / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(BundleError, match="files does not list detector"):
        read_manifest(folder)


def test_a_model_is_served_with_a_detector_and_without_one_in_turn(
    store: ModelStore, tmp_path: Path
) -> None:
    registry = Registry(PredictorSettings(store=store.root, serve_starter=False))

    def text_of(image: bytes) -> str:
        registry.poll()
        served = registry.served("default")
        assert served is not None
        return served.engine.predict([image])[0].text

    publish(store, tmp_path / "1")
    assert text_of(png("ab")) == "ab"
    publish_detector(store, tmp_path / "2")
    assert text_of(photograph_file("ab")) == "ab"
    assert text_of(NOTHING) == ""
    publish(store, tmp_path / "3")
    assert text_of(png("cab")) == "cab"
    store.promote("default", 2)
    assert text_of(photograph_file("bc")) == "bc"
