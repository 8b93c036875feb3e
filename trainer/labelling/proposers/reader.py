"""A proposer as a reader of a labelled set, in whose manner of writing it writes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.preprocessing import open_image
from trainer.labelling.labelled_set import LabelledSet, Reading
from trainer.labelling.proposers.interface import Guess, Proposer
from trainer.pipeline.datasets.parts.near_duplicates import look
from trainer.schemas.labels import UnusableLabelError, usable_label
from trainer.schemas.progress import Observer

JUDGED = 48
"""Confirmed images that tell how good a proposer is: engines read ten a second."""


@dataclass
class ProposerReader:
    """Reads with a proposer; raises CancelledRunError if the job is cancelled."""

    proposer: Proposer
    labelled: LabelledSet
    observer: Observer
    ahead: float = field(default=0.0, init=False)
    """It reads all images alike."""
    _confirmed: dict[str, Reading] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The proposer's."""
        return self.proposer.name

    def read_confirmed(self) -> Mapping[str, Reading]:
        """Read some of the confirmed images, those that were shown in random order first."""
        if self._confirmed is None:
            random = self.labelled.random
            names = sorted(self.labelled.texts, key=lambda name: name not in random)[:JUDGED]
            read = self.labelled.source.read
            new = [n for n in names if not self.proposer.has_learned_from(open_image(read(n)))]
            self._confirmed = dict(zip(new, self.read(new), strict=True))
        return self._confirmed

    def read(self, names: Sequence[str]) -> list[Reading]:
        """Read images of the set."""
        looks: list[NDArray[np.float32]] = []

        def opened() -> Iterator[Image.Image]:  # one at a time: photographs are large
            for name in names:
                self.observer.checkpoint()
                image = open_image(self.labelled.source.read(name))
                looks.append(np.frombuffer(look(image), np.int8).astype(np.float32))
                yield image

        guesses = self.proposer.read(opened())
        texts = [as_written(guess, self.labelled.texts.values()) for guess in guesses]
        return [
            Reading(text, guess.confidence if text else 0.0, one)
            for text, guess, one in zip(texts, guesses, looks, strict=True)
        ]


def as_written(guess: Guess, texts: Collection[str]) -> str:
    """Return a guess in the case of the confirmed texts, without spaces if they have none.

    Empty if it cannot be a label.
    """
    text = guess.text
    together = "".join(texts)
    if together and " " not in together:
        text = text.replace(" ", "")
    if any(map(str.isupper, together)) != any(map(str.islower, together)):
        text = text.upper() if any(map(str.isupper, together)) else text.lower()
    try:
        return usable_label(text)
    except UnusableLabelError:
        return ""
