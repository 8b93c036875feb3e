import numpy as np
import pytest
from PIL import Image

from shared.recognition.image_spec import WIDTH_STEP
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.starter.drawing import Drawn
from trainer.pipeline.starter.shapes import HEIGHTS, PITCHES, WIDEST, choose_spec, shaped


def test_inputs_have_few_sizes_so_that_batches_fill() -> None:
    chance = np.random.default_rng(0)
    image = Image.new("RGB", (260, 40))
    shapes = set()
    for _ in range(400):
        example = shaped(Drawn("abcdefgh", image, "print"), Vocabulary("abcdefgh"), chance)
        assert example is not None
        shapes.add(example.pixels.shape)
    assert {shape[0] for shape in shapes} == set(HEIGHTS)
    assert all(shape[1] % WIDTH_STEP == 0 and shape[1] <= WIDEST for shape in shapes)
    assert {shape[2] for shape in shapes} == {1}


def test_all_ways_of_resizing_are_drawn_and_stretching_gives_each_character_its_columns() -> None:
    chance = np.random.default_rng(0)
    specs = [choose_spec(10, (480, 48), chance) for _ in range(400)]
    assert {spec.resize for spec in specs} == {"stretch", "follow", "pad"}
    assert all(spec.standardize and spec.channels == 1 for spec in specs)
    widths = [spec.width for spec in specs if spec.resize == "stretch"]
    assert min(widths) >= 10 * PITCHES[0] - WIDTH_STEP
    assert max(widths) <= WIDEST


@pytest.mark.parametrize(("text", "kept"), [("a" * 70, 0), ("ab" * 8, 50), ("", 50)])
def test_a_text_that_needs_more_time_steps_than_there_are_is_skipped(text: str, kept: int) -> None:
    chance = np.random.default_rng(0)
    line = Drawn(text, Image.new("RGB", (300, 48)), "print")
    examples = [shaped(line, Vocabulary("ab"), chance) for _ in range(50)]
    assert sum(example is not None for example in examples) == kept


def test_a_line_with_a_character_that_is_not_predicted_is_skipped() -> None:
    line = Drawn("a\u0178", Image.new("RGB", (300, 48)), "print")
    assert shaped(line, Vocabulary("ab"), np.random.default_rng(0)) is None
