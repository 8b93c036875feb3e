"""The drawn sets are what their names say, and the trainer takes them as they are."""

import io
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.drawn_sets import DRAWN, MIXED_CASE, Drawing, large, write_zip
from trainer.pipeline.datasets.load import load_dataset
from trainer.schemas.job_request import JobRequest


def images(drawings: list[Drawing]) -> list[Image.Image]:
    return [Image.open(io.BytesIO(image)) for _, image in drawings]


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_seed_draws_the_same_set_and_another_seed_another(name: str) -> None:
    draw = DRAWN[name]

    assert list(draw(5, 1)) == list(draw(5, 1))
    assert list(draw(5, 1)) != list(draw(5, 2))


@pytest.mark.parametrize("name", DRAWN)
def test_the_trainer_can_use_every_image(name: str, tmp_path: Path) -> None:
    dataset = load_dataset(write_zip(tmp_path / "set.zip", DRAWN[name](40, 0)), JobRequest())

    assert dataset.summary["images"] == 40
    assert dataset.summary["left_out"] == {}


def test_labels_are_of_every_length_from_1_to_12() -> None:
    assert {len(text) for text, _ in DRAWN["length 1-12"](200, 0)} == set(range(1, 13))


def test_all_62_characters_are_drawn() -> None:
    assert {c for text, _ in DRAWN["62 characters, mixed case"](300, 0) for c in text} == set(
        MIXED_CASE
    )


def test_colour_sets_have_the_mode_of_their_name() -> None:
    assert {image.mode for image in images(list(DRAWN["RGB"](5, 0)))} == {"RGB"}
    assert {image.mode for image in images(list(DRAWN["RGBA"](5, 0)))} == {"RGBA"}


def test_sizes_go_from_60x20_to_600x120() -> None:
    found = [image.size for image in images(list(DRAWN["sizes 60x20 to 600x120"](200, 0)))]

    assert min(found) >= (60, 20)
    assert max(width for width, _ in found) <= 600
    assert {height for _, height in found} >= {20, 120}


def test_the_large_set_repeats_its_drawings_but_no_image() -> None:
    drawings = list(islice(large(4100, 0), 4100))

    assert len({text for text, _ in drawings}) <= 2000
    assert len({image for _, image in drawings}) == 4100
    assert {image.size for image in images(drawings[:5])} == {(200, 50)}
