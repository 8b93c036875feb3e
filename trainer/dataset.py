"""A checked dataset, split into its three parts: what the stages hand to one another."""

from dataclasses import dataclass
from typing import Any

from shared.preprocessing import ImageSpec
from shared.vocabulary import Vocabulary
from trainer.image_source import ImageSource


@dataclass(frozen=True)
class LabelledImage:
    """One usable image: its name in the source and its label (NFC)."""

    name: str
    label: str


@dataclass(frozen=True)
class Base:
    """The earlier version that training starts from: its Keras model, and how it reads."""

    model: Any
    image: ImageSpec
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Dataset:
    """Usable images in three parts, and how they are read."""

    source: ImageSource
    image: ImageSpec
    vocabulary: Vocabulary
    train: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    """Chooses the weights."""
    test: tuple[LabelledImage, ...]
    """Measured once, after training; chooses nothing."""
    summary: dict[str, Any]
    """What the check found, JSON; shown in the job and by `readsmith check`."""

    @property
    def labels(self) -> list[str]:
        """All labels, part after part."""
        return [image.label for image in (*self.train, *self.validation, *self.test)]
