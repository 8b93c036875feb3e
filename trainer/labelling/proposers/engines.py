"""General OCR engines, where they are installed: extras of the package, each with its licence."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

from trainer.labelling.proposers.interface import Guess, Proposer


def installed_engines() -> Iterator[Proposer]:
    """Yield the engines whose packages are there."""
    if find_spec("ddddocr"):
        yield _Engine("ddddocr", _load_ddddocr)
    if find_spec("rapidocr"):
        yield _Engine("rapidocr", _load_rapidocr)


class _Engine:
    """An engine that is loaded when it first reads."""

    def __init__(self, name: str, load: Callable[[], Callable[[Image.Image], Guess]]) -> None:
        self.name = name
        self._load = load
        self._read: Callable[[Image.Image], Guess] | None = None

    def read(self, images: Iterable[Image.Image]) -> list[Guess]:
        """Read one image after the other: their widths differ."""
        self._read = self._read or self._load()
        return [self._read(image) for image in images]

    def has_learned_from(self, image: Image.Image) -> bool:
        """Return False."""
        return False


def _load_ddddocr() -> Callable[[Image.Image], Guess]:
    """MIT; for captchas. Its weights are in its wheel."""
    from ddddocr import DdddOcr  # noqa: PLC0415 - optional, and loads 50 MB of weights

    engine: Any = DdddOcr(show_ad=False)

    def read(image: Image.Image) -> Guess:
        found = engine.classification(image.convert("RGB"), probability=True)
        # Its own confidence is the mean over the steps, most of which are surely blank.
        steps = np.asarray(found["probabilities"]).max(axis=-1)
        return Guess(found["text"], float(steps.prod()))

    return read


def _load_rapidocr() -> Callable[[Image.Image], Guess]:
    """Apache-2.0, its models too; for print. The weights that are used are in its wheel."""
    from rapidocr import RapidOCR  # noqa: PLC0415 - optional, and loads 20 MB of weights

    engine: Any = RapidOCR(params={"Global.log_level": "error"})

    def read(image: Image.Image) -> Guess:
        pixels = np.asarray(image.convert("RGB"))[:, :, ::-1]  # it expects OpenCV's order
        found = engine(pixels, use_det=False, use_cls=False, use_rec=True)
        if not found.txts:
            return Guess("", 0.0)
        return Guess(found.txts[0], float(found.scores[0]))

    return read
