"""Draws small labelled sets for tests with Pillow's own font."""

import io
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (64, 32)


def image(text: str, size: tuple[int, int] = SIZE, seed: int = 0) -> bytes:
    """Return a PNG of dark text on a light ground; the seed moves it a little."""
    chance = random.Random(seed)
    drawn = Image.new("L", size, 255 - chance.randrange(30))
    font = ImageFont.load_default(size[1] * 0.75)
    place = (2 + chance.randrange(8), chance.randrange(5))
    ImageDraw.Draw(drawn).text(place, text, fill=chance.randrange(60), font=font)
    data = io.BytesIO()
    drawn.save(data, "PNG")
    return data.getvalue()


def texts(count: int, characters: str = "AHX", longest: int = 2, seed: int = 0) -> list[str]:
    """Return random labels."""
    chance = random.Random(seed)
    return ["".join(chance.choices(characters, k=chance.randint(1, longest))) for _ in range(count)]


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    """Write a zip of these entries."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def labelled_zip(path: Path, labels: Sequence[str], size: tuple[int, int] = SIZE) -> Path:
    """Write a zip of one image per label, with a labels.csv."""
    entries = {f"{i:04}.png": image(text, size, i) for i, text in enumerate(labels)}
    rows = [f"{i:04}.png,{text}" for i, text in enumerate(labels)]
    return write_zip(path, entries | {"labels.csv": "\n".join(["filename,text", *rows]).encode()})


def zip_bytes(files: int = 2) -> bytes:
    """Return a zip of so many files that are no images."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(files):
            archive.writestr(f"{number}.png", b"not looked at here")
    return buffer.getvalue()
