"""What a living dataset is asked for: to be made, to change its labels; and what is proposed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from shared.api.labelling import ImageState
from shared.texts import require_printable
from trainer.schemas.job_request import Label, Labels
from trainer.schemas.search_request import RequestPart

ImageOrder = Literal["informative", "random", "confidence", "suspect", "name"]

MAX_CHANGES = 500
"""Labels that one request may change."""

ImageId = Annotated[str, Field(pattern=r"^image-[0-9a-f]{32}$")]
PersonName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(require_printable)]
DatasetName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(require_printable)]


class NewDataset(RequestPart):
    """A living dataset to be made: empty, or of an upload's images and labels."""

    name: DatasetName
    from_: Annotated[str, Field(pattern=r"^dataset-[0-9a-f]{32}$")] | None = Field(
        None, alias="from"
    )
    """An upload. Its labelled images are confirmed; what an export says of them is taken over."""
    labels: Labels | None = "auto"
    """Where its labels are, as in POST /jobs; null: nowhere."""


class DatasetRename(RequestPart):
    """A dataset's new name."""

    name: DatasetName


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

    @model_validator(mode="after")
    def _each_once(self) -> "LabelChanges":
        if len({change.id for change in self.labels}) < len(self.labels):
            raise ValueError("must name each image once")
        return self


@dataclass(frozen=True)
class Proposal:
    """What was read on an image that nobody has labelled, or that is labelled otherwise."""

    image_id: str
    text: str
    """Empty if nothing was read."""
    confidence: float
    """Calibrated."""
    score: float
    """How much a label of it would teach, 0 to 1; the highest come first in `informative`. An image
    that nothing has read yet has 1."""
    suspected: bool = False
    """Whether the image is confirmed with another text, which this one contradicts."""
    label: str | None = None
    """That other text."""
    proposed_by: str = "learning"
