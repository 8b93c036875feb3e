"""Draws small sets of photographs, each of which shows one line that a list of labels marks."""

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from shared.recognition.lines.corners import Corners
from tests.support.labelled_images import write_zip
from tests.support.models.bundles import encoded
from tests.support.models.detectors import PHOTOGRAPH, photograph

COLUMNS = "filename,text,x1,y1,x2,y2,x3,y3,x4,y4"


def place_of_line(seed: int) -> Corners:
    """Return where the line of a photograph is."""
    chance = random.Random(seed)
    width, fall = chance.randint(160, 240), chance.randint(-6, 6)
    x, y = chance.randint(20, 360), chance.randint(60, 340)
    height = width // 4
    return (x, y), (x + width, y + fall), (x + width, y + fall + height), (x, y + height)


def photographs_zip(path: Path, texts: Sequence[str], size: tuple[int, int] = PHOTOGRAPH) -> Path:
    """Write a zip of one photograph per text, with a labels.csv of their corners."""
    rows, entries = [COLUMNS], {}
    for number, text in enumerate(texts):
        corners = place_of_line(number)
        image = photograph(text, corners).resize(size, Image.Resampling.BILINEAR)
        scale = size[0] / PHOTOGRAPH[0]
        entries[f"{number:04}.png"] = encoded(image)
        values = ",".join(f"{value * scale:g}" for point in corners for value in point)
        rows.append(f"{number:04}.png,{text},{values}")
    return write_zip(path, entries | {"labels.csv": "\n".join(rows).encode()})
