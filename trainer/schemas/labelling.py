"""What a living dataset is asked for: to be made, to change its labels; and what is proposed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from shared.api.labelling import ImageState
from shared.texts import require_printable
from trainer.schemas.job_request import Label
from trainer.schemas.search_request import RequestPart

MAX_CHANGES = 500
"""Labels that one request may change."""

ImageId = Annotated[str, Field(pattern=r"^image-[0-9a-f]{32}$")]
PersonName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(require_printable)]
DatasetName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(require_printable)]


class LabelChange(RequestPart):
    """What somebody decided about one image."""

    id: ImageId
    version: int = Field(ge=0, lt=2**31)
    """The image's version that was looked at."""
    state: Literal[ImageState.CONFIRMED, ImageState.UNREADABLE, ImageState.UNLABELLED]
    """Unlabelled takes a label back."""
    text: Label | None = None
    """The label; with confirmed only."""
    random: bool = False
    """Whether the image was shown in random order."""

    @model_validator(mode="after")
    def _text_if_confirmed(self) -> "LabelChange":
        if (self.text is None) == (self.state is ImageState.CONFIRMED):
            raise ValueError("must have a text if its state is confirmed, and none otherwise")
        return self


class LabelChanges(RequestPart):
    """Several of them, made together or not at all."""

    labels: list[LabelChange] = Field(min_length=1, max_length=MAX_CHANGES)
    by: PersonName | None = None
    """Who decided; where the trainer has keys, the key's name is taken instead."""


@dataclass(frozen=True)
class Proposal:
    """What was read on an image that nobody has labelled, or that is labelled otherwise."""

    image_id: str
    text: str
    confidence: float
    """Calibrated."""
    score: float
    """How much a label of it would teach; the highest come first in the order `informative`."""
    suspected: bool = False
    """Whether the image is confirmed with another text, which this one contradicts."""
