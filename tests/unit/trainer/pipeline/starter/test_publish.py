import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.recognition.preprocessing import open_image
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import GOLDEN_PREDICTIONS, KERAS_MODEL, ONNX_MODEL
from trainer.pipeline.networks.inference import OnnxGraph
from trainer.pipeline.networks.keras_files import load_keras
from trainer.pipeline.starter.drawing import Drawn
from trainer.pipeline.starter.evaluate import Starter
from trainer.pipeline.starter.learner import Learner, exported
from trainer.pipeline.starter.publish import Reached, write_files, write_golden_lines
from trainer.pipeline.starter.shapes import SPEC

VOCABULARY = Vocabulary("abc")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    write_files(exported(Learner("conv", VOCABULARY)), folder)
    return folder


def lines() -> list[Drawn]:
    chance = np.random.default_rng(0)
    sizes = ((40, 30), (90, 20), (61, 61))
    return [
        Drawn("ab", Image.fromarray(chance.integers(0, 256, (height, width, 3), np.uint8)), "print")
        for width, height in sizes
    ]


def test_both_files_predict_the_same_and_the_h5_is_half_as_large(build: Path) -> None:
    images = [line.image for line in lines()]
    keras_model = load_keras(build / KERAS_MODEL)
    expected, found = (
        Starter(model, VOCABULARY, SPEC).probabilities(images)
        for model in (keras_model, OnnxGraph(build / ONNX_MODEL))
    )
    assert np.allclose(found, expected, atol=1e-4)
    halves = 2 * keras_model.count_params()
    assert (build / KERAS_MODEL).stat().st_size < halves + 150_000 < 2 * halves


def test_the_golden_images_are_the_surest_correct_lines_with_their_predictions(
    tmp_path: Path,
) -> None:
    texts, confidences = ("ab", "a", "ab"), (0.4, 0.9, 0.8)
    reached = Reached(lines(), texts, confidences, [])
    write_golden_lines(reached, tmp_path)
    golden = json.loads((tmp_path / GOLDEN_PREDICTIONS).read_text())
    assert [(one["truth"], one["text"], one["confidence"]) for one in golden] == [
        ("ab", "ab", 0.8),
        ("ab", "ab", 0.4),
    ]
    for one, line in zip(golden, (lines()[2], lines()[0]), strict=True):
        saved = open_image((tmp_path / one["file"]).read_bytes())
        assert saved.tobytes() == line.image.tobytes()
