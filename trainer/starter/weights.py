"""The starter's weights as they lie in the package."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.preprocessing import ImageSpec
from shared.vocabulary import Vocabulary
from trainer.dataset import Base
from trainer.starter.drawing import HEIGHT, WIDTH

FILE = Path(__file__).with_name("weights.npz")
SPEC = ImageSpec(height=HEIGHT, width=WIDTH, channels=1, resize="pad", standardize=True)


def save_starter(weights: dict[str, list[Any]], vocabulary: Vocabulary) -> None:
    """Write the weights of each layer, in order, and the characters."""
    arrays: dict[str, Any] = {
        f"{name}/{index}": array
        for name, arrays_of_layer in weights.items()
        for index, array in enumerate(arrays_of_layer)
    }
    np.savez_compressed(FILE, characters=np.array(vocabulary.characters), **arrays)


def load_starter() -> Base:
    """Read the starter; its layers fit the conv preset at this height and any width."""
    weights: dict[str, list[Any]] = {}
    with np.load(FILE, allow_pickle=False) as arrays:
        for key in arrays.files:
            if key != "characters":
                weights.setdefault(key.split("/")[0], []).append(arrays[key])
        vocabulary = Vocabulary(arrays["characters"].tolist())
    return Base(name="starter", image=SPEC, vocabulary=vocabulary, weights=weights)
