"""What cameras, scanners, printers and files do to an image."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.grounds import cloud, gradient, to_image

LEAST, MOST = 14, 160
"""Heights of images in pixels."""

WIDEST = 1600
SMALLEST_TEXT = 10.0

Fault = Callable[[Chance, Image.Image, float], Image.Image]
"""Gets the image and the height of its text in pixels."""


def _range(image: Image.Image) -> float:
    """Return the contrast of an image, in levels."""
    levels = np.asarray(image.convert("L"))
    low, high = np.percentile(levels[::2, ::2], (3, 97))
    return max(12.0, float(high - low))


def light(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Light that changes over the image: a slope, a shadow with an edge, glare."""
    size = image.size
    pixels = np.asarray(image, np.float32)
    how = chance.pick(("slope", "shadow", "cloud", "glare"))
    if how == "slope":
        return to_image(pixels * (1 + gradient(chance, size) * chance.uniform(0.1, 0.45)))
    if how == "shadow":
        edge = gradient(chance, size) * chance.uniform(2, 20) + chance.uniform(-2, 2)
        return to_image(pixels * (1 - np.clip(edge, 0, 1) * chance.uniform(0.15, 0.5)))
    if how == "cloud":
        return to_image(pixels * (1 + 0.3 * cloud(chance, size, text * chance.uniform(1, 4))))
    spot = np.clip(1 - np.abs(gradient(chance, size) * 3 + chance.uniform(-2, 2)), 0, 1)
    return to_image(pixels + (255 - pixels) * spot * chance.uniform(0.15, 0.55))


def blur(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Out of focus."""
    return image.filter(ImageFilter.GaussianBlur(text * chance.uniform(0.015, 0.06)))


def motion(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Moved while it was exposed, along or across."""
    far = text * chance.uniform(0.03, 0.1)
    return image.filter(ImageFilter.BoxBlur((far, 0) if chance.maybe(0.6) else (0, far)))


def small(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Few pixels: made smaller, and larger again."""
    share = min(1.0, chance.log_uniform(SMALLEST_TEXT, 22) / text)
    size = (max(4, round(image.width * share)), max(4, round(image.height * share)))
    down = chance.pick((Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
    up = chance.pick(
        (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    )
    return image.resize(size, down).resize(image.size, up)


def noise(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Noise of a sensor: gray or coloured, fine or coarse."""
    width, height = image.size
    strength = _range(image) * chance.uniform(0.02, 0.16) * min(1, text / 24)
    channels = chance.pick((1, 3))
    if text > 24 and chance.maybe(0.4):
        grain = np.repeat(
            np.repeat(chance.noise((height // 2 + 1, width // 2 + 1, channels)), 2, 0), 2, 1
        )
        grain = grain[:height, :width]
    else:
        grain = chance.noise((height, width, channels))
    return to_image(np.asarray(image, np.float32) + grain * strength)


def specks(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Salt and pepper."""
    pixels = np.array(image)
    grain = chance.grain(pixels.shape[:2])
    share = chance.log_uniform(0.002, 0.04)
    colours = chance.pick(((0, 255), (0, 0), (255, 255)))
    pixels[grain < share] = colours[0]
    pixels[grain > 1 - share] = colours[1]
    return Image.fromarray(pixels)


def jpeg(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Compressed."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=chance.integer(20 if text > 24 else 40, 95))
    return Image.open(file).convert("RGB")


def tones(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Too dark, too bright, too flat, too hard."""
    gamma = chance.log_uniform(0.5, 2)
    low = chance.uniform(-40, 60)
    high = chance.uniform(180, 300)
    levels = (np.arange(256) / 255) ** gamma * (high - low) + low
    table = np.clip(levels, 0, 255).round().astype(int).tolist()
    return image.point(table * 3)


def hard(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Sharpened, as phones do."""
    return image.filter(ImageFilter.UnsharpMask(text * 0.06, chance.integer(60, 200), 2))


def gray(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Without colour."""
    return image.convert("L").convert("RGB")


def inverted(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Dark for light."""
    return ImageOps.invert(image)


FAULTS: dict[Fault, float] = {
    light: 2.2,
    blur: 1.5,
    motion: 0.6,
    small: 1.8,
    noise: 1.8,
    specks: 0.4,
    jpeg: 2.5,
    tones: 1.2,
    hard: 0.6,
    gray: 1.6,
    inverted: 0.6,
}
SOFT = {blur, motion, small}
"""Only one of these: two leave nothing to read."""

COUNTS = {0: 1.2, 1: 3, 2: 3, 3: 2, 4: 0.8}


def with_faults(chance: Chance, image: Image.Image, text: float) -> Image.Image:
    """Return the image with some faults, in a size of its own; `text` is the height of its
    characters."""
    image, height = _sized(chance, image, text)
    chosen: list[Fault] = []
    for _ in range(chance.weighted(COUNTS)):
        fault = chance.weighted(FAULTS)
        if fault not in chosen and not (fault in SOFT and SOFT.intersection(chosen)):
            chosen.append(fault)
    for fault in chosen:
        image = fault(chance, image, height)
    return image


def _sized(chance: Chance, image: Image.Image, text: float) -> tuple[Image.Image, float]:
    """Scale an image to a size that such images have."""
    share = 1.0
    if chance.maybe(0.6):
        share = chance.log_uniform(13, 60) / max(1.0, text)
    share = min(share, MOST / image.height, WIDEST / image.width)
    share = max(share, LEAST / image.height)
    if abs(share - 1) < 0.02 and image.height <= MOST and image.width <= WIDEST:
        return image, text
    size = (max(6, round(image.width * share)), min(MOST, max(LEAST, round(image.height * share))))
    how = chance.pick(
        (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    )
    return image.resize((min(WIDEST, size[0]), size[1]), how), text * share
