"""The height that thin strokes survive."""

import numpy as np
from PIL import Image, ImageDraw

from trainer.pipeline.datasets.inputs.strokes import least_height

HEIGHTS = range(48, 129, 16)


def figures(thickness: int, height: int = 160, specks: int = 0) -> Image.Image:
    """Draw rings and bars of lines so thick, and single pixels that mean nothing."""
    image = Image.new("RGB", (400, height), (40, 160, 190))
    pen = ImageDraw.Draw(image)
    for left in range(20, 400, 80):
        box = (left, height // 5, left + 50, 4 * height // 5)
        pen.ellipse(box, outline=(90, 110, 200), width=thickness)
        pen.line((left + 25, 10, left + 40, height - 10), fill=(200, 60, 90), width=thickness)
    pixels = np.asarray(image).copy()
    chance = np.random.default_rng(0)
    pixels[chance.integers(0, height, specks), chance.integers(0, 400, specks)] = 255
    return Image.fromarray(pixels)


def test_thick_strokes_need_no_more_rows_than_usual() -> None:
    assert least_height([figures(10)] * 3, HEIGHTS) == 48


def test_thin_strokes_need_more() -> None:
    assert least_height([figures(2)] * 3, HEIGHTS) > 64


def test_specks_are_no_strokes() -> None:
    assert least_height([figures(10, specks=500)] * 3, HEIGHTS) == 48


def test_images_without_more_rows_lose_nothing() -> None:
    assert least_height([figures(1, height=48)], HEIGHTS) == 48


def test_an_image_without_any_stroke_is_measured() -> None:
    assert least_height([Image.new("L", (1, 300), 7)], HEIGHTS) == 48
