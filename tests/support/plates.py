"""Draws plates with one row of text or two, with Pillow's own font."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = ImageFont.load_default(60)


def plate(
    rows: Sequence[str],
    *,
    tilt: float = 0.0,
    noise: float = 8.0,
    ink: str = "black",
    ground: str = "white",
    mode: str = "RGB",
) -> Image.Image:
    """Draw rows of text in a frame, each as wide as the plate; tilt: degrees."""
    width, height = max(200, 50 * max(map(len, rows))), 40 + 62 * len(rows)
    image = Image.new(mode, (width, height), ground)
    pen = ImageDraw.Draw(image)
    pen.rectangle((6, 6, width - 7, height - 7), outline=ink, width=3)
    for number, row in enumerate(rows):
        left, top, right, bottom = FONT.getbbox(row)
        drawn = Image.new(mode, (round(right - left), round(bottom - top)), ground)
        ImageDraw.Draw(drawn).text((-left, -top), row, fill=ink, font=FONT)
        image.paste(drawn.resize((width - 40, 48)), (20, 26 + 62 * number))
    image = image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=ground)
    values = np.asarray(image) + np.random.default_rng(0).normal(0, noise, np.asarray(image).shape)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def plate_texts(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return the rows of random plates: three letters, four digits."""
    chance = np.random.default_rng(seed)
    return [
        ("".join(chance.choice(list("ABCDEFHKLMNPRTX"), 3)), f"{chance.integers(10_000):04}")
        for _ in range(count)
    ]
