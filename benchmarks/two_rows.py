"""What joining two rows brings: drawn plates, learned with the step and without it.

python -m benchmarks.two_rows                # 300 plates with two rows
python -m benchmarks.two_rows --share 0.5    # half of them with one
python -m benchmarks.two_rows --rows 1       # without the step

Prints the exact match of the test part, and what the check said of rows.
"""

import argparse
import io
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.drawn_sets import FONTS, Drawing, packaged_font, write_zip
from shared.errors import ReadsmithError
from shared.store.store import ModelStore
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.context import Inputs, RunContext
from trainer.pipeline.run import run
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import Observer

LETTERS, DIGITS = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
GROUNDS = ("#f0f0f0", "#fad228", "#ffffff", "#2846a0", "#141414")
TILT = 5
"""Degrees, either way, at most."""
MARGIN = 22


def plates(images: int, share: float, seed: int = 2026) -> Iterator[Drawing]:
    """Draw plates of three letters and four digits, a share of them in two rows.

    Several fonts and colours, frames, bolts, tilt, shade, blur, noise and sizes.
    """
    chance = np.random.default_rng(seed)
    for _ in range(images):
        upper, lower = ("".join(chance.choice(list(c), n)) for c, n in ((LETTERS, 3), (DIGITS, 4)))
        rows = [upper, lower] if chance.random() < share else [upper + lower]
        data = io.BytesIO()
        _photographed(_plate(rows, chance), chance).save(data, "PNG")
        yield upper + lower, data.getvalue()


def _plate(rows: Sequence[str], chance: np.random.Generator) -> Image.Image:
    width, height = (360, 270) if len(rows) == 2 else (520, 120)
    ground = str(chance.choice(GROUNDS))
    dark = ground in GROUNDS[3:]
    ink = tuple(chance.integers(*((210, 255) if dark else (0, 60)), 3).tolist())
    plate = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(plate)
    if chance.random() < 0.6:
        pen.rounded_rectangle(
            (6, 6, width - 7, height - 7), 14, outline=ink, width=int(chance.integers(2, 7))
        )
    name, gap, top = str(chance.choice(FONTS)), int(chance.integers(14, 34)), MARGIN
    free = height - 2 * MARGIN - gap * (len(rows) - 1)
    first = chance.uniform(0.42, 0.58) if len(rows) == 2 else 1
    for text, part in zip(rows, (first, 1 - first), strict=False):
        row = _row(text, name, (width - 2 * MARGIN, round(part * free)), ink, ground)
        plate.paste(row, ((width - row.width) // 2, top + (round(part * free) - row.height) // 2))
        top += round(part * free) + gap
    if chance.random() < 0.4:
        for x in (width // 4, 3 * width // 4):
            pen.ellipse((x - 5, 12, x + 5, 22), fill="#787878")
    return plate


def _row(
    text: str, name: str, size: tuple[int, int], ink: tuple[int, ...], ground: str
) -> Image.Image:
    """Draw a text as high as fits, at most a third wider than the font has it."""
    font = packaged_font(name, size[1])
    left, top, right, bottom = map(round, font.getbbox(text))
    row = Image.new("RGB", (right - left, bottom - top), ground)
    ImageDraw.Draw(row).text((-left, -top), text, fill=ink, font=font)
    scale = min(size[0] / row.width, size[1] / row.height)
    across = min(scale * 1.3, size[0] / row.width)
    return row.resize((round(row.width * across), round(row.height * scale)))


def _photographed(plate: Image.Image, chance: np.random.Generator) -> Image.Image:
    around = "#" + "".join(f"{value:02x}" for value in chance.integers(30, 160, 3))
    pad = int(chance.integers(0, 24))
    scene = Image.new("RGB", (plate.width + 2 * pad, plate.height + 2 * pad), around)
    scene.paste(plate, (pad, pad))
    turned = scene.rotate(chance.uniform(-TILT, TILT), Image.Resampling.BICUBIC, fillcolor=around)
    across, down = np.meshgrid(*(np.linspace(-1, 1, side) for side in turned.size))
    angle = chance.uniform(0, 2 * math.pi)
    light = chance.uniform(0, 0.45) * (across * math.cos(angle) + down * math.sin(angle))
    lit = np.asarray(turned) * ((1 + light) * chance.uniform(0.5, 1.1))[..., np.newaxis]
    scale = chance.uniform(0.18, 0.6)
    size = round(turned.width * scale), round(turned.height * scale)
    small = _image(lit).resize(size, Image.Resampling.BOX)
    if chance.random() < 0.5:
        small = small.filter(ImageFilter.GaussianBlur(chance.uniform(0, 1)))
    return _image(np.asarray(small) + chance.normal(0, chance.uniform(0, 14), (*size[::-1], 3)))


def _image(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def main() -> None:
    """Draw the set, train, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--share", type=float, default=1.0, help="of plates with two rows")
    parser.add_argument("--rows", choices=("auto", "1"), default="auto")
    asked = parser.parse_args()
    settings = Hyperparameters(rows="auto" if asked.rows == "auto" else 1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="readsmith-") as work:
        folder = Path(work)
        local = write_zip(folder / "set.zip", plates(asked.images, asked.share))
        store, files = ModelStore(folder / "models"), FolderFiles(folder)
        inputs = Inputs(folder / "work", folder / "cache", files, store, local=local)
        request = JobRequest(preset="conv", hyperparameters=settings)
        context = RunContext("job-1", 1, inputs, may_publish=lambda: None)
        observer = _Observer()
        try:
            metrics = run(request, context, observer).metrics
            result = (
                f"{metrics.exact_match:.1%} of {metrics.test_images} test images, "
                f"CER {metrics.cer:.1%}, {metrics.train_images} trained on"
            )
        except ReadsmithError as error:  # a run that does not learn is a result
            result = f"failed: {error.message}"
    print(f"rows {observer.rows}\n{result}, {time.monotonic() - began:.0f} s")


class _Observer(Observer):
    rows = ""

    def summary(self, summary: dict[str, Any]) -> None:
        self.rows = summary["reasons"]["rows"]


if __name__ == "__main__":
    main()
