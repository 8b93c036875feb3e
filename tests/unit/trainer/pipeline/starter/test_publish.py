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
from trainer.pipeline.starter.publish import Reached, rounded, write_bundle
from trainer.pipeline.starter.shapes import SPEC


@pytest.fixture(scope="module")
def starter() -> Starter:
    return Starter(
        rounded(exported(Learner("conv-large", Vocabulary("abc")))), Vocabulary("abc"), SPEC
    )


def lines() -> list[Drawn]:
    chance = np.random.default_rng(0)
    sizes = ((40, 30), (90, 20), (61, 61))
    return [
        Drawn("ab", Image.fromarray(chance.integers(0, 256, (height, width, 3), np.uint8)), "print")
        for width, height in sizes
    ]


def test_both_files_of_a_bundle_predict_the_same_and_the_h5_is_half_as_large(
    starter: Starter, tmp_path: Path
) -> None:
    write_bundle(tmp_path, starter, Reached.of(starter, lines(), []))
    images = [line.image for line in lines()]
    expected = starter.probabilities(images)
    for model in (load_keras(tmp_path / KERAS_MODEL), OnnxGraph(tmp_path / ONNX_MODEL)):
        again = Starter(model, starter.vocabulary, SPEC).probabilities(images)
        assert np.allclose(again, expected, atol=1e-4)
    size = (tmp_path / KERAS_MODEL).stat().st_size
    assert size < 2 * starter.model.count_params() * 1.1 + 200_000


def test_the_golden_images_are_drawn_lines_with_their_predictions(
    starter: Starter, tmp_path: Path
) -> None:
    reached = Reached.of(starter, lines(), [])
    write_bundle(tmp_path, starter, reached)
    golden = json.loads((tmp_path / GOLDEN_PREDICTIONS).read_text())
    assert [one["text"] for one in golden] == list(reached.texts)
    for one, line in zip(golden, lines(), strict=True):
        assert one["truth"] == line.text
        assert open_image((tmp_path / one["file"]).read_bytes()).tobytes() == line.image.tobytes()
