"""Colours, and what text is printed on: paper, gradients, textures, grids, blots."""

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trainer.pipeline.starter.drawing.chance import Chance

Colour = tuple[int, int, int]
Size = tuple[int, int]
Pixels = NDArray[np.float32]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def luma(colour: Colour) -> float:
    """Return the brightness of a colour, 0 to 255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def any_colour(chance: Chance) -> Colour:
    """Return a colour: a gray, a pale one, a dark one, a strong one."""
    saturation, value = chance.pick(((0, 1), (0.25, 1), (0.6, 1), (1, 1), (1, 0.6)))
    red, green, blue = colorsys.hsv_to_rgb(
        chance.uniform(0, 1),
        saturation * chance.uniform(0.5, 1),
        value * chance.uniform(0, 1) ** 0.6,
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def near(chance: Chance, colour: Colour, spread: float) -> Colour:
    """Return a colour that differs little."""
    red, green, blue = (min(255, max(0, round(c + chance.normal(spread)))) for c in colour)
    return red, green, blue


def against(chance: Chance, ground: Colour, least: float) -> Colour:
    """Return a colour that differs in brightness by at least so much."""
    for _ in range(12):
        colour = any_colour(chance)
        if abs(luma(colour) - luma(ground)) >= least:
            return colour
    return BLACK if luma(ground) > 127 else WHITE


def two_colours(chance: Chance) -> tuple[Colour, Colour]:
    """Return ink and ground: black on white most often, any two of some contrast else."""
    style = chance.weighted({"paper": 4, "light": 2, "dark": 1.5, "any": 2.5, "faint": 1})
    if style == "paper":
        ground = near(chance, (245, 243, 238), 12)
        return near(chance, (30, 30, 34), 25), ground
    if style == "light":
        ground = near(chance, any_colour(chance), 10)
        ground = (ground[0] // 2 + 127, ground[1] // 2 + 127, ground[2] // 2 + 127)
        return against(chance, ground, 90), ground
    if style == "dark":
        ground = near(chance, (25, 25, 28), 20)
        return against(chance, ground, 90), ground
    if style == "any":
        ground = any_colour(chance)
        return against(chance, ground, 60), ground
    ground = any_colour(chance)
    step = chance.uniform(35, 70) * (-1 if luma(ground) > 127 else 1)
    ink = (round(ground[0] + step), round(ground[1] + step), round(ground[2] + step))
    return near(chance, ink, 4), ground


def to_image(pixels: Pixels) -> Image.Image:
    """Return pixels of any range as an image."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def cloud(chance: Chance, size: Size, cells: float, channels: int = 1) -> Pixels:
    """Return smooth noise, (height, width, channels), about -1 to 1, with blots of some pixels."""
    columns = max(2, round(size[0] / cells) + 1)
    rows = max(2, round(size[1] / cells) + 1)
    layers = []
    for _ in range(channels):
        coarse = Image.fromarray((chance.grain((rows, columns)) * 255).astype(np.uint8))
        layers.append(np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32))
    return np.stack(layers, -1) / np.float32(127.5) - 1


def gradient(chance: Chance, size: Size) -> Pixels:
    """Return a slope in some direction, (height, width, 1), -1 to 1."""
    across, down = chance.uniform(-1, 1), chance.uniform(-1, 1)
    columns = np.linspace(-across, across, size[0], dtype=np.float32)[None, :]
    rows = np.linspace(-down, down, size[1], dtype=np.float32)[:, None]
    slope = columns + rows
    return np.asarray(slope / max(0.3, abs(across) + abs(down)), np.float32)[..., None]


def ground(chance: Chance, size: Size, colour: Colour, strength: float = 1) -> Image.Image:
    """Return a ground of about this colour; `strength` is how much it may differ within itself."""
    style = chance.weighted(
        {"plain": 4, "slope": 2, "paper": 2, "blots": 1.5, "grain": 1, "grid": 0.5, "halves": 0.4}
    )
    image = Image.new("RGB", size, colour)
    if style == "plain":
        return image
    if style in {"grid", "halves"}:
        return _ruled(chance, image, colour, style)
    pixels = np.asarray(image, np.float32)
    if style == "slope":
        pixels = pixels + gradient(chance, size) * chance.uniform(8, 50) * strength
    elif style == "paper":
        pixels = (
            pixels + cloud(chance, size, chance.uniform(2, 5)) * chance.uniform(3, 14) * strength
        )
    elif style == "blots":
        noise = cloud(chance, size, chance.uniform(8, 60), chance.pick((1, 1, 3)))
        pixels = pixels + noise * chance.uniform(8, 40) * strength
    else:
        pixels = pixels + chance.noise((size[1], size[0], 1)) * chance.uniform(3, 16) * strength
    return to_image(pixels)


def _ruled(chance: Chance, image: Image.Image, colour: Colour, style: str) -> Image.Image:
    """Draw lines of a grid, or stripes, or another colour from somewhere on."""
    pen = ImageDraw.Draw(image)
    other = near(chance, colour, 18)
    width, height = image.size
    if style == "halves":
        x, y = chance.integer(0, width), chance.integer(0, height)
        pen.rectangle((x, 0, width, height) if chance.maybe(0.5) else (0, y, width, height), other)
        return image
    step, thick = chance.integer(4, 24), chance.pick((1, 1, 1, 2, 3))
    if chance.maybe(0.7):
        for y in range(chance.integer(0, step), height, step):
            pen.line((0, y, width, y), other, thick)
    if chance.maybe(0.7):
        for x in range(chance.integer(0, step), width, step):
            pen.line((x, 0, x, height), other, thick)
    return image
