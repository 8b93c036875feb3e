"""Draws the starter's dataset on all cores."""

import io
import multiprocessing
import re
import sysconfig
from itertools import chain
from pathlib import Path

from PIL import Image

from trainer.pipeline.downloads.synthetic import write_set
from trainer.pipeline.starter.drawing import Drawer

UNUSABLE_FONTS = re.compile(r"STIX(Non|Siz)|cm(ex|sy|mi)|LastResort|[Aa]wesome|Display")
"""Fonts of symbols, and those that lack letters."""

CHUNK = 500


def installed_fonts() -> list[Path]:
    """Return the fonts of the installed Python packages, sorted by name."""
    folder = Path(sysconfig.get_paths()["purelib"])
    fonts = [*folder.rglob("*.ttf"), *folder.rglob("*.otf")]
    return sorted(path for path in fonts if not UNUSABLE_FONTS.search(path.name))


def draw_chunk(seed: int) -> list[tuple[str, bytes]]:
    """Draw CHUNK texts and their images, as PNG."""
    drawer = Drawer(installed_fonts(), seed)
    drawings = []
    for _ in range(CHUNK):
        text, pixels = drawer.draw()
        image = io.BytesIO()
        Image.fromarray(pixels).save(image, "PNG")
        drawings.append((text, image.getvalue()))
    return drawings


def draw_set(images: int, target: Path) -> None:
    """Write a zip of at least this many images; the seeds of the chunks are their numbers."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        write_set(chain.from_iterable(pool.imap(draw_chunk, range(-(-images // CHUNK)))), target)
