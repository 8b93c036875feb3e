"""Draws the starter's dataset on all cores."""

import io
import multiprocessing
from itertools import chain
from pathlib import Path

from trainer.pipeline.downloads.synthetic import write_set
from trainer.pipeline.starter.drawing import Drawer

CHUNK = 500
LONGEST = 14
"""Characters; longer ones have no room in the width that is trained."""


def draw_chunk(seed: int) -> list[tuple[str, bytes]]:
    """Draw CHUNK texts and their images, as PNG."""
    drawer = Drawer(seed)
    drawings: list[tuple[str, bytes]] = []
    while len(drawings) < CHUNK:
        drawn = drawer.draw()
        if 0 < len(drawn.text) <= LONGEST:
            image = io.BytesIO()
            drawn.image.save(image, "PNG")
            drawings.append((drawn.text, image.getvalue()))
    return drawings


def draw_set(images: int, target: Path) -> None:
    """Write a zip of at least this many images; the seeds of the chunks are their numbers."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        write_set(chain.from_iterable(pool.imap(draw_chunk, range(-(-images // CHUNK)))), target)
