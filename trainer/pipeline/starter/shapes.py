"""How a drawn line becomes an input: in all the ways in which training and serving shape images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.recognition.image_spec import WIDTH_STEP, ImageSpec
from shared.recognition.preprocessing import fit
from shared.recognition.vocabulary import Vocabulary, required_time_steps
from trainer.pipeline.datasets.inputs.image_spec import STARTER_HEIGHT, time_steps_of
from trainer.pipeline.starter.drawing import Drawn

HEIGHTS = (STARTER_HEIGHT, 32, 64)
HEIGHT_SHARES = (0.94, 0.03, 0.03)
WIDEST = 512
"""Pixels; wider inputs cost time, and show a network without recurrence nothing new."""
PITCHES = (12.0, 28.0)
"""Columns per character where an image is stretched."""
RESIZES = ("stretch", "follow", "pad")
RESIZE_SHARES = (0.55, 0.35, 0.1)

SPEC = ImageSpec(
    height=STARTER_HEIGHT, width=1536, channels=1, resize="follow", standardize=True, widening=1.0
)
"""How a starter shapes images that nobody has measured."""


@dataclass(frozen=True)
class Example:
    """A fitted image, uint8 (H, W, 1), and the classes of its text."""

    pixels: NDArray[np.uint8]
    classes: tuple[int, ...]


def shaped(drawn: Drawn, vocabulary: Vocabulary, chance: np.random.Generator) -> Example | None:
    """Return the line as an input.

    None where it has fewer time steps than its text needs, or a character that is not predicted.
    """
    if not set(drawn.text) <= set(vocabulary.characters):
        return None
    spec = choose_spec(len(drawn.text), drawn.image.size, chance)
    if required_time_steps(drawn.text) > time_steps_of(drawn.image.size, spec):
        return None
    return Example(fit(drawn.image, spec), tuple(vocabulary.encode(drawn.text)))


def choose_spec(characters: int, size: tuple[int, int], chance: np.random.Generator) -> ImageSpec:
    """Draw the image spec of a set that the line could be of.

    characters: in its text; size: width and height of its image.
    """
    height = int(chance.choice(HEIGHTS, p=HEIGHT_SHARES))
    resize = chance.choice(RESIZES, p=RESIZE_SHARES)
    own = size[0] / size[1] * height
    wanted = _log_uniform(PITCHES, chance) * max(1, characters)
    if resize == "stretch":
        # Half as wide as its text asks, half at its own aspect, give or take that of its set.
        width = wanted if chance.random() < 0.5 else own * _log_uniform((0.75, 1.4), chance)
        return _spec("stretch", height, width)
    if resize == "pad":
        return _spec("pad", height, own * _log_uniform((0.9, 2.0), chance))
    widening = min(16.0, max(1.0, wanted / own)) if chance.random() < 0.5 else 1.0
    return _spec("follow", height, WIDEST, widening)


def _spec(resize: str, height: int, width: float, widening: float = 1.0) -> ImageSpec:
    steps = round(width / WIDTH_STEP)
    return ImageSpec.model_validate(
        {
            "height": height,
            "width": min(WIDEST, max(2, steps) * WIDTH_STEP),
            "channels": 1,
            "resize": resize,
            "standardize": True,
            "widening": widening,
        }
    )


def _log_uniform(limits: tuple[float, float], chance: np.random.Generator) -> float:
    low, high = np.log(limits)
    return float(np.exp(chance.uniform(low, high)))
