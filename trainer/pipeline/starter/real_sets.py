"""Real sets that a starter is measured on without training: those of READSMITH_TEST_DATA."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from shared.recognition.preprocessing import open_image
from shared.recognition.scoring import Score
from trainer.pipeline.datasets.load import labelled_images
from trainer.schemas.job_request import Labels

Pairs = Sequence[tuple[str, str]]
"""Label and prediction of each image."""


@dataclass(frozen=True)
class RealSet:
    """A set, and how its predictions are compared."""

    file: str
    measure: str
    """What the figure is."""
    figure: Callable[[Pairs], float]
    labels: Labels = "auto"

    def images(self, folder: Path, most: int) -> Iterator[tuple[str, Image.Image]]:
        """Yield labels and images, at most so many, evenly spread over the set."""
        found = list(labelled_images(folder / self.file, self.labels))
        for _, label, data in found[:: max(1, -(-len(found) // most))]:
            yield label, open_image(data)


def exact_match(pairs: Pairs) -> float:
    """Return the share of predictions that are the label."""
    return Score.of(pairs).exact_match


def character_errors(pairs: Pairs) -> float:
    """Return the edits per character of the labels."""
    return Score.of(pairs).cer


def without_spaces(pairs: Pairs) -> float:
    """Return the exact match with spaces ignored."""
    return exact_match([(_joined(label), _joined(text)) for label, text in pairs])


def without_first_sign(pairs: Pairs) -> float:
    """Return the exact match of what follows the first sign, which may be taken for any other."""
    return sum(label[1:] in (text, text[1:]) for label, text in pairs) / len(pairs)


def _joined(text: str) -> str:
    return text.replace(" ", "")


REAL_SETS = (
    RealSet("captcha_images_v2.zip", "exact match", exact_match),
    RealSet("plates.zip", "exact match after the first sign", without_first_sign),
    RealSet("receipts.zip", "exact match, spaces ignored", without_spaces),
    RealSet("typewriter.zip", "CER", character_errors),
    RealSet("old_print.zip", "CER", character_errors),
    RealSet("captcha_colour.zip", "exact match", exact_match),
)
