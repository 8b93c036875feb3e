"""Labelled sets drawn with fonts of installed packages, the same for the same seed.

Each set is a stream of (label, PNG) and differs from the others in what it is named for.
"""

import importlib.util
import io
import random
import string
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.pipeline.datasets.sources.tar_file import add_file

Drawing = tuple[str, bytes]
Colour = tuple[int, int, int, int]

CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without 0, O, 1 and I, which some fonts draw alike."""
MIXED_CASE = string.ascii_letters + string.digits
MONO = "DejaVuSansMono.ttf"
"""Draws all 62 characters differently: dotted zero, I with serifs, l with a tail."""
FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", MONO)
CAPTCHA_FONT = "DroidSansMono.ttf"


def write_zip(target: Path, drawings: Iterator[Drawing]) -> Path:
    """Write the images and a labels.csv."""
    rows = ["filename,text"]
    with zipfile.ZipFile(target, "w") as archive:
        for index, (text, image) in enumerate(drawings):
            name = f"{index:06}.png"
            archive.writestr(name, image)
            rows.append(f"{name},{text}")
        archive.writestr("labels.csv", "\n".join(rows) + "\n")
    return target


def write_shards(target: Path, drawings: Iterator[Drawing], images_per_shard: int) -> Path:
    """Write the images and their labels as a folder of shards."""
    target.mkdir()
    numbered = enumerate(drawings)
    while some := list(islice(numbered, images_per_shard)):
        with tarfile.TarFile(target / f"set-{some[0][0]:09}.tar", "w") as tar:
            for index, (text, image) in some:
                add_file(tar, f"{index:09}.png", image)
                add_file(tar, f"{index:09}.txt", text.encode())
    return target


def lengths(images: int, seed: int) -> Iterator[Drawing]:
    """Labels of 1 to 12 characters in images of 260x40, several fonts."""
    chance = random.Random(seed)
    for _ in range(images):
        text = _text(chance, CHARACTERS, 1, 12)
        yield text, _gray(chance, text, (260, 40))


def mixed_case(images: int, seed: int) -> Iterator[Drawing]:
    """62 characters in one font, size and baseline, so that upper and lower case differ."""
    chance = random.Random(seed)
    for _ in range(images):
        text = _text(chance, MIXED_CASE, 5, 5)
        image = Image.new("L", (160, 50), chance.randrange(215, 256))
        ink = chance.randrange(60)
        ImageDraw.Draw(image).text(
            (chance.randrange(4, 40), 36), text, fill=ink, font=packaged_font(MONO, 32), anchor="ls"
        )
        yield text, _png(_noisy(image, chance))


def rgb(images: int, seed: int) -> Iterator[Drawing]:
    """Text and ground in changing colours, one light and one dark."""
    chance = random.Random(seed)
    for _ in range(images):
        text = _text(chance, CHARACTERS, 4, 6)
        ink, ground = _colour(chance, 0, 80), _colour(chance, 170, 256)
        if chance.random() < 0.5:
            ink, ground = ground, ink
        yield text, _png(_coloured(chance, text, ink, ground).convert("RGB"))


def rgba(images: int, seed: int) -> Iterator[Drawing]:
    """Dark text on a light ground of any transparency, or light text on nothing."""
    chance = random.Random(seed)
    for _ in range(images):
        text = _text(chance, CHARACTERS, 4, 6)
        ink, ground = _colour(chance, 0, 80), _colour(chance, 170, 256, chance.randrange(256))
        if chance.random() < 0.5:
            ink, ground = _colour(chance, 190, 256), (0, 0, 0, 0)
        yield text, _png(_coloured(chance, text, ink, ground))


def sizes(images: int, seed: int) -> Iterator[Drawing]:
    """Images from 60x20 to 600x120, the text as large as fits."""
    chance = random.Random(seed)
    for _ in range(images):
        height = chance.randint(20, 120)
        width = round(height * chance.uniform(3, 5))
        text = _text(chance, CHARACTERS, 4, 6)
        yield text, _gray(chance, text, (width, height))


def large(images: int, seed: int) -> Iterator[Drawing]:
    """Many images of 200x50 at low cost: 2,000 drawings, shifted and speckled for each image."""
    chance, noise = random.Random(seed), np.random.default_rng(seed)
    texts = [_text(chance, CHARACTERS, 5, 5) for _ in range(min(images, 2000))]
    drawn = [np.array(_centred(text, chance)) for text in texts]
    for index in range(images):
        text, pixels = texts[index % len(texts)], drawn[index % len(drawn)]
        moved = np.roll(pixels, (chance.randint(-4, 4), chance.randint(-10, 10)), (0, 1))
        moved.flat[noise.integers(0, moved.size, 100)] = noise.integers(0, 256, 100)
        yield text, _png(Image.fromarray(moved), compress_level=1)


DRAWN: dict[str, Callable[[int, int], Iterator[Drawing]]] = {
    "length 1-12": lengths,
    "62 characters, mixed case": mixed_case,
    "RGB": rgb,
    "RGBA": rgba,
    "sizes 60x20 to 600x120": sizes,
}
"""By name: functions from the number of images and a seed to the set."""


def _text(chance: random.Random, characters: str, shortest: int, longest: int) -> str:
    return "".join(chance.choices(characters, k=chance.randint(shortest, longest)))


def _colour(chance: random.Random, low: int, high: int, alpha: int = 255) -> Colour:
    red, green, blue = (chance.randrange(low, high) for _ in range(3))
    return red, green, blue, alpha


def _gray(chance: random.Random, text: str, size: tuple[int, int]) -> bytes:
    """Draw dark on light, in any font, as large as fits, at a random position."""
    name = chance.choice((*FONTS, CAPTCHA_FONT))
    image = Image.new("L", size, chance.randrange(215, 256))
    _draw_text(chance, image, text, _largest(name, text, size), chance.randrange(60))
    return _png(_noisy(image, chance))


def _centred(text: str, chance: random.Random) -> Image.Image:
    image = Image.new("L", (200, 50), chance.randrange(215, 256))
    font = packaged_font(chance.choice(FONTS), 32)
    ImageDraw.Draw(image).text((100, 25), text, fill=30, font=font, anchor="mm")
    return image


def _coloured(chance: random.Random, text: str, ink: Colour, ground: Colour) -> Image.Image:
    image = Image.new("RGBA", (180, 50), ground)
    _draw_text(chance, image, text, packaged_font(chance.choice(FONTS), 30), ink)
    return image


def _draw_text(
    chance: random.Random,
    image: Image.Image,
    text: str,
    font: ImageFont.FreeTypeFont,
    ink: int | Colour,
) -> None:
    """Draw the text at a random position inside the image."""
    left, top, right, bottom = font.getbbox(text)
    x = chance.uniform(0, max(0.0, image.width - (right - left))) - left
    y = chance.uniform(0, max(0.0, image.height - (bottom - top))) - top
    ImageDraw.Draw(image).text((x, y), text, fill=ink, font=font)


def _largest(name: str, text: str, size: tuple[int, int]) -> ImageFont.FreeTypeFont:
    """Return the font at 70 % of the image's height, or smaller if the text is too wide."""
    font = packaged_font(name, round(size[1] * 0.7))
    too_wide = font.getlength(text) / (0.95 * size[0])
    return font if too_wide <= 1 else packaged_font(name, int(font.size / too_wide))


def _noisy(image: Image.Image, chance: random.Random) -> Image.Image:
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 6, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _png(image: Image.Image, compress_level: int = 6) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=compress_level)
    return data.getvalue()


@cache
def packaged_font(name: str, points: int) -> ImageFont.FreeTypeFont:
    """Return a font that a package brings, at a size."""
    package, folder = (
        ("captcha", "data") if name == CAPTCHA_FONT else ("matplotlib", "mpl-data/fonts/ttf")
    )
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None  # a dependency of the trainer
    return ImageFont.truetype(Path(found.origin).parent / folder / name, points)
