"""Sets characters in a line, and puts what was drawn before a camera."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Face, Fonts
from trainer.pipeline.starter.drawing.grounds import cloud
from trainer.pipeline.starter.drawing.texts import needs

Box = tuple[int, int, int, int]
Font = ImageFont.FreeTypeFont

WIDEST = 1400
"""Pixels of a drawn line; wider ones are made narrower."""


@dataclass(frozen=True)
class Scene:
    """Something drawn (RGB), and where its text is.

    `margins` are the least and the most that a crop leaves around the text, in heights of it;
    without them it is the whole image. `tilt` is how far the camera may be off, 1 for usual;
    `height` is that of the characters where it is less than the box's.
    """

    image: Image.Image
    box: Box
    margins: tuple[float, float] | None
    tilt: float = 1
    height: float = 0


def face_for(
    chance: Chance, fonts: Fonts, shares: Mapping[str, float], text: str
) -> tuple[Face, str]:
    """Return a font for a text, and the text with small letters made capitals if it lacks them."""
    face = fonts.choose(chance, shares, needs(text).replace("l", ""))
    if "l" not in face.covers and text.isascii():
        text = text.upper()
    if not set(needs(text)) <= set(face.covers):
        face = fonts.choose(chance, {"sans": 1, "serif": 1}, needs(text))
    return face, text


def set_line(font: Font, text: str, spacing: float = 0) -> Image.Image:
    """Return the ink of a text, mode L, cropped to it; `spacing` are pixels between characters."""
    left, top, right, bottom = font.getbbox(text)
    extra = max(0, round(spacing * len(text)))
    size = (int(right - left) + extra + 8, int(bottom - top) + 8)
    ink = Image.new("L", (min(size[0], 4 * WIDEST), size[1]))
    pen = ImageDraw.Draw(ink)
    if spacing == 0:
        pen.text((4 - left, 4 - top), text, 255, font)
    else:
        x = 4.0 - left
        for character in text:
            pen.text((x, 4 - top), character, 255, font)
            x += font.getlength(character) + spacing
    return trimmed(ink)


def trimmed(ink: Image.Image) -> Image.Image:
    """Crop ink to what is there, never to nothing."""
    return ink.crop(ink.getbbox() or (0, 0, 4, 8))


def stretched(ink: Image.Image, across: float, height: int | None = None) -> Image.Image:
    """Make ink wider by a factor, and of a height if one is given."""
    height = height or ink.height
    width = min(WIDEST, max(2, round(ink.width * across * height / ink.height)))
    return ink.resize((width, max(2, height)), Image.Resampling.BILINEAR)


def worn(chance: Chance, ink: Image.Image, most: float = 1) -> Image.Image:
    """Let ink spread, thin out, break, fade in places, or run."""
    how = chance.weighted({"as is": 5, "thick": 1, "thin": 0.6, "spots": 1.2, "faded": 1, "run": 1})
    if how == "as is" or ink.height < 12 or (how in {"spots", "thin"} and ink.height < 20):
        return ink
    if how == "thick":
        return _padded(ink, 2).filter(ImageFilter.MaxFilter(3))
    if how == "thin":
        thin = ink.filter(ImageFilter.MinFilter(3))
        return Image.blend(ink, thin, chance.uniform(0.3, 0.7))
    if how == "run":
        soft = _padded(ink, 2).filter(
            ImageFilter.GaussianBlur(ink.height * chance.uniform(0.015, 0.05))
        )
        return soft.point(lambda level: min(255, max(0, round((level - 90) * 3))))
    cells = chance.uniform(1.5, 5) if how == "spots" else ink.height * chance.uniform(0.4, 2)
    noise = cloud(chance, ink.size, cells)[..., 0]
    if how == "spots":
        keep = np.clip((noise + chance.uniform(0.2, 0.75)) * 4, 0, 1)
    else:
        keep = np.clip(1 - most * chance.uniform(0.1, 0.7) * (noise + 1) / 1.4, 0.15, 1)
    return Image.fromarray((np.asarray(ink) * keep).astype(np.uint8))


def _padded(ink: Image.Image, by: int) -> Image.Image:
    image = Image.new("L", (ink.width + 2 * by, ink.height + 2 * by))
    image.paste(ink, (by, by))
    return image


def outlined(ink: Image.Image, thick: int = 1) -> Image.Image:
    """Return the outlines of ink."""
    ink = _padded(ink, thick + 1)
    outer = ink.filter(ImageFilter.MaxFilter(2 * thick + 1))
    return ImageChops.subtract(outer, ink.filter(ImageFilter.MinFilter(3)) if thick < 2 else ink)


def waved(image: Image.Image, chance: Chance, strength: float) -> Image.Image:
    """Move columns up and down and rows to the sides in waves; strength in parts of the height."""
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    length = height * chance.uniform(0.6, 3)
    up = strength * height * np.sin(columns * (6.283 / length) + chance.uniform(0, 6.3))
    side = strength * height * chance.uniform(0, 0.8)
    side = side * np.sin(
        rows * (6.283 / (height * chance.uniform(0.5, 2))) + chance.uniform(0, 6.3)
    )
    y = np.clip((rows[:, None] + up[None, :]).round().astype(np.intp), 0, height - 1)
    x = np.clip((columns[None, :] + side[:, None]).round().astype(np.intp), 0, width - 1)
    return Image.fromarray(pixels[y, x])


def photographed(chance: Chance, scene: Scene) -> tuple[Image.Image, float]:
    """Return the scene as it is cropped, and the height of the characters in it."""
    left, top, right, bottom = scene.box
    tall = bottom - top
    height = scene.height or tall
    if scene.margins is None:
        return scene.image, height
    low, high = scene.margins
    loose = chance.uniform(low, high) if chance.maybe(0.6) else low
    sides = [tall * chance.uniform(low, max(low, loose)) for _ in range(4)]
    rise, lean, bend = _off(chance, right - left, tall, scene.tilt)
    across, down = abs(lean) * 0.8, abs(rise) * 0.8
    box = (
        left - sides[0] - across,
        top - sides[1] * 0.6 - down,
        right + sides[2] + across,
        bottom + sides[3] * 0.6 + down,
    )
    size = (max(6, round(box[2] - box[0])), max(6, round(box[3] - box[1])))
    if rise == 0 and lean == 0 and bend == 0:
        corner = (round(box[0]), round(box[1]))
        return scene.image.crop((*corner, corner[0] + size[0], corner[1] + size[1])), height
    moves = np.array([(lean, -rise), (-lean, -rise), (-lean, rise), (lean, rise)], np.float64)
    moves += [[chance.normal(bend), chance.normal(bend)] for _ in range(4)]
    corners = [(box[0], box[1]), (box[0], box[3]), (box[2], box[3]), (box[2], box[1])]
    limit = (scene.image.width - 1.0, scene.image.height - 1.0)
    quad = np.clip(np.array(corners) + moves, (0, 0), limit).ravel().tolist()
    sampling = chance.pick((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
    return scene.image.transform(size, Image.Transform.QUAD, quad, sampling), height


def _off(chance: Chance, width: int, height: int, tilt: float) -> tuple[float, float, float]:
    """Return in pixels how far the camera is turned, leans and looks from the side."""
    rise = lean = bend = 0.0
    if chance.maybe(0.4):
        rise = np.sin(np.radians(chance.normal(1.4) * tilt)) * width / 2
        rise = min(0.35 * height, max(-0.35 * height, float(rise)))
    if chance.maybe(0.2):
        lean = min(0.22, max(-0.22, chance.normal(0.07) * tilt)) * height
    if chance.maybe(0.25):
        bend = min(0.08, 0.05 * tilt) * height
    return rise, lean, bend
