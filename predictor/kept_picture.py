"""A picture that is kept with its reading, made from an answered request."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from predictor.notes import Notes
from predictor.uploads import Question
from shared.builtin import STARTER


class KeptPicture(NamedTuple):
    """A picture and how it was read; version is None if the starter read it."""

    request_id: str
    place: int
    """Among the pictures of its request."""
    model: str
    """Whose corrections it would belong to."""
    version: int | None
    text: str | None
    confidence: float
    created: float
    """Seconds since 1970."""
    picture: bytes

    @property
    def id(self) -> str:
        """What names it in addresses."""
        return f"{self.request_id}.{self.place}"


def as_kept(
    question: Question, answers: Sequence[dict[str, Any]], notes: Notes, default_model: str
) -> Iterator[KeptPicture]:
    """Yield the pictures of a request that were read.

    Those that the starter read belong to the default model: the starter is never trained.
    """
    starter = notes.model == STARTER
    model = default_model if starter else str(notes.model)
    now = time.time()
    for place, (upload, answer) in enumerate(zip(question.uploads, answers, strict=True)):
        if isinstance(upload.data, bytes) and "text" in answer:
            text, confidence = answer["text"], answer["confidence"]
            version = None if starter else notes.version
            yield KeptPicture(
                notes.request_id, place, model, version, text, confidence, now, upload.data
            )
