"""Draws the starter's training set on all cores."""

import multiprocessing
import re
import sysconfig
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.starter.drawing import CHARACTERS, HEIGHT, LONGEST, WIDTH, Drawer

UNUSABLE_FONTS = re.compile(r"STIX(Non|Siz)|cm(ex|sy|mi)|LastResort|[Aa]wesome|Display")
"""Fonts of symbols, and those that lack letters."""

CHUNK = 500
PADDING = -1
VOCABULARY = Vocabulary(CHARACTERS)
SPEC = ImageSpec(height=HEIGHT, width=WIDTH, channels=1, resize="pad", standardize=True)

DrawnSet = tuple[NDArray[np.uint8], NDArray[np.int32]]
"""Images (N, HEIGHT, WIDTH, 1) and their classes (N, LONGEST), PADDING after shorter texts."""


def installed_fonts() -> list[Path]:
    """Return the fonts of the installed Python packages, sorted by name."""
    folder = Path(sysconfig.get_paths()["purelib"])
    fonts = [*folder.rglob("*.ttf"), *folder.rglob("*.otf")]
    return sorted(path for path in fonts if not UNUSABLE_FONTS.search(path.name))


def draw_chunk(seed: int) -> DrawnSet:
    """Draw CHUNK images and their encoded labels."""
    drawer = Drawer(installed_fonts(), seed)
    pixels = np.empty((CHUNK, HEIGHT, WIDTH, 1), np.uint8)
    labels = np.full((CHUNK, LONGEST), PADDING, np.int32)
    for index in range(CHUNK):
        text, pixels[index, ..., 0] = drawer.draw()
        labels[index, : len(text)] = VOCABULARY.encode(text)
    return pixels, labels


def draw(images: int) -> DrawnSet:
    """Draw many images on all cores; the seeds of the chunks are their numbers."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        chunks = pool.map(draw_chunk, range(-(-images // CHUNK)), chunksize=1)
    return np.concatenate([c[0] for c in chunks]), np.concatenate([c[1] for c in chunks])
