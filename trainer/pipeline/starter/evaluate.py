"""Measures the starters of the package on real sets that they never saw.

`python -m trainer.pipeline.starter.evaluate`; the sets are those in the folder that
READSMITH_TEST_DATA names. Predicts with ONNX Runtime, as when served.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.decoding import decode
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit
from shared.recognition.scripts.letter_case import find_folds, fold_case
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import ONNX_MODEL
from trainer.pipeline.networks.inference import OnnxGraph, predict
from trainer.pipeline.starter.drawing import Drawer, Drawn, Fonts
from trainer.pipeline.starter.real_sets import REAL_SETS, RealSet, exact_match

TEST_SEED = 2**31 - 1
"""Of drawn lines that no training draws."""


@dataclass(frozen=True)
class Figure:
    """What a starter reaches on a real set without training."""

    file: str
    measure: str
    images: int
    free: float
    alphabet: float
    """With the characters of the set's labels given."""


@dataclass(frozen=True)
class Starter:
    """A model from images to probabilities, and how it shapes them."""

    model: Any
    vocabulary: Vocabulary
    spec: ImageSpec

    def probabilities(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return the output for each image: float32 (N, T, classes)."""
        return predict(self.model, [fit(image, self.spec) for image in images], self.spec)


def measure(starter: Starter, real: RealSet, folder: Path, most: int) -> Figure:
    """Measure a starter on a set."""
    labels, images = zip(*real.images(folder, most), strict=True)
    output = starter.probabilities(images)
    free = [one.text for one in decode(output, starter.vocabulary)]
    given = [
        one.text
        for one in decode(_within(output, starter, set().union(*labels)), starter.vocabulary)
    ]
    figures = (real.figure(list(zip(labels, texts, strict=True))) for texts in (free, given))
    return Figure(real.file, real.measure, len(labels), *figures)


def _within(
    output: NDArray[np.float32], starter: Starter, alphabet: set[str]
) -> NDArray[np.float32]:
    """Return the output with all characters but these made impossible, as when served."""
    characters = starter.vocabulary.characters
    allowed = [character in alphabet for character in characters]
    folded = fold_case(output, find_folds(characters, np.flatnonzero(allowed).tolist()))
    return folded * np.array([*allowed, True], np.float32)


def measure_all(starter: Starter, folder: Path, most: int) -> list[Figure]:
    """Measure a starter on each set that the folder has."""
    sets = (real for real in REAL_SETS if (folder / real.file).is_file())
    return [measure(starter, real, folder, most) for real in sets]


def held_out_lines(count: int, fonts: Fonts | None = None) -> list[Drawn]:
    """Draw lines that no training draws."""
    drawer = Drawer(TEST_SEED, fonts)
    return [drawer.draw() for _ in range(count)]


def drawn_match(starter: Starter, lines: Sequence[Drawn]) -> float:
    """Return the exact match on drawn lines."""
    output = starter.probabilities([line.image for line in lines])
    texts = [one.text for one in decode(output, starter.vocabulary)]
    return exact_match([(line.text, text) for line, text in zip(lines, texts, strict=True)])


def data_folder() -> Path | None:
    """Return the folder of real sets, if there is one."""
    named = os.environ.get("READSMITH_TEST_DATA")
    return Path(named) if named else None


def table(name: str, figures: Sequence[Figure]) -> str:
    """Return the figures as lines of Markdown."""
    head = f"| {name} | images | free | alphabet given |\n|---|---|---|---|"
    rows = (
        f"| {one.file}: {one.measure} | {one.images} | {one.free:.1%} | {one.alphabet:.1%} |"
        for one in figures
    )
    return "\n".join((head, *rows))


def packaged(model: str) -> Starter:
    """Load a starter of the package."""
    store = builtin_store()
    version = store.versions(model)[-1]
    manifest = store.manifest(model, version)
    graph = OnnxGraph(store.folder(model, version) / ONNX_MODEL)
    return Starter(graph, manifest.model_vocabulary(), manifest.image)


def main() -> None:
    """Print what each starter of the package reaches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="of each set, at most")
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        parser.error("READSMITH_TEST_DATA names no folder of real sets.")
    store = builtin_store()
    for model in STARTERS.values():
        if store.versions(model):
            figures = measure_all(packaged(model), folder, arguments.images)
            print(table(model, figures), flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    main()
