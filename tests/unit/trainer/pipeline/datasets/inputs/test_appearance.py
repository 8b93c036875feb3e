from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.support.labelled_images import write_zip
from tests.support.models.bundles import encoded
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.appearance import Appearance, measure_appearance
from trainer.pipeline.datasets.inputs.image_spec import HEIGHTS
from trainer.pipeline.datasets.sources.source import open_source

FONT = ImageFont.load_default(28)
WIDTH, HEIGHT = 350, 200


def measured(folder: Path, images: list[Image.Image]) -> Appearance:
    """Write a set of these images and measure it."""
    entries = {f"{number:03}.png": encoded(one) for number, one in enumerate(images)}
    table = [LabelledImage(name, "x", f"{0:064x}", (WIDTH, HEIGHT)) for name in entries]
    return measure_appearance(open_source(write_zip(folder / "set.zip", entries)), table, HEIGHTS)


def drawn(
    text: str,
    place: tuple[int, int],
    noise: float = 0.0,
    ink: str = "black",
    ground: str = "white",
) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    ImageDraw.Draw(image).text(place, text, fill=ink, font=FONT)
    chance = np.random.default_rng(len(text) + place[0] + place[1])
    values = np.asarray(image) + chance.normal(0, noise, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def several(
    count: int = 60, noise: float = 0.0, spread: int = 10, **look: str
) -> list[Image.Image]:
    """Draw texts of five characters near the middle of high images."""
    chance = np.random.default_rng(0)
    return [
        drawn(
            "".join(chance.choice(list("ABCDEFGH2345"), 5)),
            (int(chance.integers(100, 101 + spread)), int(chance.integers(80, 81 + spread))),
            noise,
            **look,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("noise", [0.0, 20.0])
def test_the_band_that_all_texts_lie_in_is_found(tmp_path: Path, noise: float) -> None:
    region = measured(tmp_path, several(noise=noise)).region
    assert region is not None
    # The glyphs' rows are 88 to 108, moved by up to 10; their columns 100 to about 215.
    assert 0.3 < region.top < 0.44
    assert 0.59 < region.bottom < 0.7
    assert 0.1 < region.left < 0.29
    assert 0.6 < region.right < 0.75


def test_a_few_long_texts_are_within_the_region(tmp_path: Path) -> None:
    images = several(98)
    long = [drawn("ABCDEFGHABCD", (100, 85)), drawn("HHHHHHHHHHHH", (105, 85))]
    region = measured(tmp_path, images + long).region
    assert region is not None
    assert region.right > (100 + FONT.getlength("ABCDEFGHABCD")) / WIDTH


def test_images_that_are_text_all_over_have_no_region(tmp_path: Path) -> None:
    full = [one.crop((100, 85, 220, 120)) for one in several()]
    assert measured(tmp_path, full).region is None


def test_text_anywhere_has_no_region(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    places = [(int(x), int(y)) for x, y in chance.integers(0, (230, 170), (80, 2))]
    assert measured(tmp_path, [drawn("AB2C3", place) for place in places]).region is None


def test_a_handful_of_images_shows_no_common_margins(tmp_path: Path) -> None:
    assert measured(tmp_path, several(10)).region is None


def test_the_extent_of_the_text_is_measured_within_the_region(tmp_path: Path) -> None:
    found = measured(tmp_path, several(spread=0))
    assert found.region is not None
    high = (found.region.bottom - found.region.top) * HEIGHT
    wide = (found.region.right - found.region.left) * WIDTH
    assert 15 < found.text_height * high < 35
    assert 80 < found.text_width * wide < 140


def test_edges_that_gray_would_lose_are_counted(tmp_path: Path) -> None:
    assert measured(tmp_path, several()).lost_in_gray < 0.05
    blue = several(ink="#fafa5a", ground="#0000a0")
    assert measured(tmp_path, blue).lost_in_gray < 0.05
    same = several(ink="#ff0000", ground="#008200")  # both 76 in gray
    assert measured(tmp_path, same).lost_in_gray > 0.8


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 1), (4, 900)])
def test_images_of_hardly_a_pixel_are_measured(tmp_path: Path, size: tuple[int, int]) -> None:
    plain = [Image.new("RGB", size, "red") for _ in range(30)]
    found = measured(tmp_path, plain)
    assert (found.region, found.lost_in_gray) == (None, 0.0)
    assert 0 < found.text_height <= 1
