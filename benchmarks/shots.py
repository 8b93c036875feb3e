"""What several shots of one thing bring: combined against the surest of them, and its confidence.

    python -m benchmarks.shots [--set NAME ...] [--models FOLDER] [--images N] [--shots N]
        [--json FILE]

`readsmith train` learns from a part of each set; each of N other images is drawn several times,
disturbed (blurred, noisy, with glare, shifted) each time anew, or once for all and then slightly
each time, so that the shots share most of their errors. READSMITH_TEST_DATA names the folder of
the sets. --models keeps what is trained for the next run.
"""

import argparse
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.few_labels import Images, write
from benchmarks.record import ROOT, Machine, commit
from predictor.models import shots
from predictor.models.engine import Engine
from shared.patterns.limits import ANYTHING
from shared.recognition.decoding import DecodedText
from shared.store.store import ModelStore
from trainer.pipeline.datasets.load import labelled_images

PRODUCT = {"SOFTENING": 1.0, "MISREAD": 0.0, "SHARPENING": 1.0, "CORRELATION": 0.0}
"""Settings of the combination with which it is the plain product of probabilities."""
COMBINED: dict[str, dict[str, float]] = {"plain product": PRODUCT, "combined": {}}
"""The settings that are compared, by way; {}: as they are served."""
BINS = 10
STRENGTHS = {"own": (0.0, 1.5), "shared": (1.3, 0.3)}
"""By kind of errors: how strongly an image is disturbed once for all its shots, and each anew."""
WEAKER = {"plates": 0.5}
"""By set: what these are multiplied with, where otherwise hardly anything could be read."""


@dataclass(frozen=True)
class Answers:
    """What a way of reading gets right, and how far its confidences can be trusted."""

    way: str
    images: int
    errors: int
    mean_confidence: float
    calibration_error: float
    log_loss: float
    sure: int
    """Answers with a confidence of at least 0.95."""
    sure_errors: int

    @classmethod
    def of(cls, way: str, answers: Sequence[tuple[bool, float]]) -> "Answers":
        """Measure answers: each right or not, and its confidence."""
        right = np.array([each for each, _ in answers])
        confidence = np.array([each for _, each in answers])
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        gaps = [
            abs(right[bins == each].mean() - confidence[bins == each].mean()) * (bins == each).sum()
            for each in set(bins.tolist())
        ]
        clipped = np.clip(confidence, 1e-4, 1 - 1e-4)
        return cls(
            way=way,
            images=len(answers),
            errors=int((~right).sum()),
            mean_confidence=round(float(confidence.mean()), 4),
            calibration_error=round(float(sum(gaps)) / len(answers), 4),
            log_loss=round(float(-np.log(np.where(right, clipped, 1 - clipped)).mean()), 4),
            sure=int((confidence >= 0.95).sum()),
            sure_errors=int((~right & (confidence >= 0.95)).sum()),
        )


def main() -> None:
    """Train, draw, read, and print a table for each set and kind of errors."""
    options = _options()
    data = Path(os.environ.get("READSMITH_TEST_DATA", "."))
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        store = ModelStore(options.models or Path(folder, "models"))
        for name in options.set:
            if not (data / f"{name}.zip").is_file():
                sys.exit(f"error: there is no {data / name}.zip; set READSMITH_TEST_DATA.")
            images = list(labelled_images(data / f"{name}.zip", "auto"))
            order = np.random.default_rng(7).permutation(len(images))
            chosen = [images[index] for index in order]
            apart = chosen[: options.images]
            model = name.replace("_", "-")
            if store.current(model) is None:
                train(chosen[options.images :], model, store.root, options.max_minutes)
            engine = Engine.load(
                store.folder(model, 1), store.manifest(model, 1), threads=os.cpu_count() or 1
            )
            for errors, strongest in STRENGTHS.items():
                strengths = [WEAKER.get(name, 1.0) * each for each in strongest]
                rows = measure(engine, apart, strengths, options.shots)
                show(f"{name}, {errors} errors, {options.shots} shots each", rows)
                about = {"set": name, "errors_are": errors, "shots": options.shots}
                found += [{**about, **asdict(row)} for row in rows]
    if options.json:
        record = {
            "commit": commit(),
            "machine": Machine.this().model_dump(),
            "rows": found,
        }
        options.json.write_text(json.dumps(record, indent=2) + "\n")


def train(images: Images, model: str, store: Path, max_minutes: float | None) -> None:
    """Publish a version of the model; raises CalledProcessError if training fails."""
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        given = Path(folder, "given")
        write(given, images)
        command = [sys.executable, "-m", "readsmith", "train", str(given), "--model", model]
        command += ["--store", str(store), "--state", str(Path(folder, "state"))]
        command += ["--promote", "always"]
        if max_minutes is not None:
            command += ["--max-minutes", str(max_minutes)]
        subprocess.run(command, cwd=ROOT, check=True)


def measure(
    engine: Engine, images: Images, strengths: Sequence[float], number: int
) -> list[Answers]:
    """Read drawn shots of each image, so many of each, alone and combined."""
    once, anew = strengths
    ways: dict[str, list[tuple[bool, float]]] = {}
    for place, (_, truth, data) in enumerate(images):
        rng = np.random.default_rng([place, number])
        common = disturbed(Image.open(io.BytesIO(data)).convert("RGB"), rng, once)
        drawn = [_png(disturbed(common, rng, anew)) for _ in range(number)]
        alone = engine.predict(drawn)
        surest = max(alone, key=lambda each: each.confidence)
        ways.setdefault("one shot", []).append((alone[0].text == truth, alone[0].confidence))
        ways.setdefault("surest shot", []).append((surest.text == truth, surest.confidence))
        for way, settings in COMBINED.items():
            text = _combined(engine, drawn, settings)
            ways.setdefault(way, []).append((text.text == truth, text.confidence))
    return [Answers.of(way, answers) for way, answers in ways.items()]


def _combined(
    engine: Engine, images: Sequence[bytes], settings: Mapping[str, float]
) -> DecodedText:
    served = {name: getattr(shots, name) for name in settings}
    vars(shots).update(settings)
    try:
        text = engine.combine(images, ANYTHING, 1)[0].text
    finally:
        vars(shots).update(served)
    assert text is not None  # without limits there is always one
    return text


def disturbed(image: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    """Return an image with glare, turned, shifted, blurred and noisy; 0: as it is."""
    if strength == 0:
        return image
    width, height = image.size
    rows, columns = np.mgrid[:height, :width]
    radius = height * rng.uniform(0.2, 0.6)
    squares = (columns - rng.uniform(0, width)) ** 2 + (rows - rng.uniform(0, height)) ** 2
    glare = strength * rng.uniform(0, 0.9) * np.exp(-squares / (2 * radius**2))
    pixels = np.asarray(image, dtype=np.float32)
    pixels += (255 - pixels) * glare[:, :, np.newaxis]
    fill = tuple(int(each) for each in np.median(pixels.reshape(-1, 3), axis=0))
    angle, by = math.radians(strength * rng.uniform(-3, 3)), strength * height * 0.06
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = width / 2, height / 2
    moved = Image.fromarray(pixels.astype(np.uint8)).transform(
        image.size,
        Image.Transform.AFFINE,
        (
            *(cosine, sine, x - cosine * x - sine * y + rng.uniform(-by, by)),
            *(-sine, cosine, y + sine * x - cosine * y + rng.uniform(-by, by)),
        ),
        Image.Resampling.BILINEAR,
        fillcolor=fill,
    )
    blurred = moved.filter(ImageFilter.GaussianBlur(strength * height / 50 * rng.uniform(0.2, 1.8)))
    noise = rng.normal(0, strength * rng.uniform(5, 35), (height, width, 1))
    noisy = np.clip(np.asarray(blurred, dtype=np.float32) + noise, 0, 255)
    return Image.fromarray(noisy.astype(np.uint8))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def show(title: str, rows: Sequence[Answers]) -> None:
    """Print a row for each way."""
    print(f"\n{title}, {rows[0].images} images")
    columns = ("errors", "mean confidence", "calibration error", "log loss", "sure (wrong)")
    print(f"{'':24}" + "".join(f"{each:>18}" for each in columns))
    for row in rows:
        cells = (
            str(row.errors),
            f"{row.mean_confidence:.3f}",
            f"{row.calibration_error:.3f}",
            f"{row.log_loss:.3f}",
            f"{row.sure} ({row.sure_errors})",
        )
        print(f"{row.way:24}" + "".join(f"{each:>18}" for each in cells))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="append", help="a zip's name without its ending")
    parser.add_argument("--models", type=Path, help="a store: what it holds is not trained again")
    parser.add_argument("--images", type=int, default=250, help="images that are read, not given")
    parser.add_argument("--shots", type=int, default=3, help="of each image")
    parser.add_argument("--max-minutes", type=float, help="of each training")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    options.set = options.set or ["captcha_images_v2", "plates"]
    return options


if __name__ == "__main__":
    main()
