"""Draws a labelled set with the `captcha` library, the same for the same parameters."""

import csv
import io
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import captcha.image

from shared.texts import csv_cell
from trainer.schemas.job_request import Synthetic


class _SeededSecrets(random.Random):
    """Stands in for the module `secrets`, from which the library draws its variation."""

    randbelow = random.Random.randrange
    randbits = random.Random.getrandbits


def draw_dataset(
    parameters: Synthetic, target: Path, checkpoint: Callable[[], None] = lambda: None
) -> None:
    """Write a zip of PNG images with a labels.csv; equal parameters give equal bytes.

    checkpoint is called before each image, and may raise to stop it.
    """
    write_set(_drawings(parameters), target, checkpoint)


def write_set(
    drawings: Iterable[tuple[str, bytes]],
    target: Path,
    checkpoint: Callable[[], None] = lambda: None,
) -> None:
    """Write a zip of texts and their PNG images; for checkpoint see draw_dataset."""
    labels = io.StringIO()
    rows = csv.writer(labels, lineterminator="\n")
    rows.writerow(("filename", "text"))
    with zipfile.ZipFile(target, "w") as archive:
        for index, (text, image) in enumerate(drawings, 1):
            checkpoint()
            name = f"{index:06}.png"
            archive.writestr(zipfile.ZipInfo(name), image)  # dated 1980: equal bytes
            rows.writerow((name, csv_cell(text)))
        archive.writestr(zipfile.ZipInfo("labels.csv"), labels.getvalue())


def _drawings(parameters: Synthetic) -> Iterator[tuple[str, bytes]]:
    chooser = random.Random(parameters.seed)  # noqa: S311 - images, not secrets
    size = round(parameters.height * 0.75)
    drawer = captcha.image.ImageCaptcha(
        width=parameters.width, height=parameters.height, font_sizes=(size, size + 4, size + 8)
    )
    with _seeded(parameters.seed):
        for _ in range(parameters.images):
            length = chooser.randint(parameters.min_length, parameters.max_length)
            text = "".join(chooser.choices(parameters.characters, k=length))
            image = io.BytesIO()
            drawer.generate_image(text).save(image, "PNG")
            yield text, image.getvalue()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    original = captcha.image.secrets
    captcha.image.secrets = _SeededSecrets(seed)
    try:
        yield
    finally:
        captcha.image.secrets = original
