"""The image that every request carries."""

import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DRAWN_TEXT = "2b827"


def choose_image(data: Path | None) -> tuple[bytes, str, str]:
    """Return a PNG, its text, and a description of its origin.

    data: the folder of the real sets. The V2 set's first image, or a drawn one without it.
    """
    archive = data and data / "captcha_images_v2.zip"
    if not archive or not archive.is_file():
        return _drawn(), DRAWN_TEXT, "a drawn image of 200x50, because the V2 set is missing"
    with zipfile.ZipFile(archive) as images:
        names = [name for name in images.namelist() if "__MACOSX" not in name]
        first = min(name for name in names if name.endswith(".png"))
        return images.read(first), PurePosixPath(first).stem, f"{first} of the V2 set"


def _drawn() -> bytes:
    """Draw the text on noise, so that the file is about as large as those of the set."""
    noise = np.random.default_rng(0).integers(200, 256, (50, 200), dtype=np.uint8)
    image = Image.fromarray(noise)
    ImageDraw.Draw(image).text((40, 8), DRAWN_TEXT, fill=30, font=ImageFont.load_default(size=30))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
