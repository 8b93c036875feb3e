"""What the trainer answers about living datasets: images kept one by one, and their labels."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from shared.api.answer import Answer


class ImageState(StrEnum):
    """Where an image of a living dataset stands."""

    UNLABELLED = "unlabelled"
    PROPOSED = "proposed"
    """It has a proposal, which nobody has confirmed or corrected yet."""
    CONFIRMED = "confirmed"
    UNREADABLE = "unreadable"
    """Somebody looked at it, and could not tell what it says."""
    SUSPECTED = "suspected"
    """Confirmed, but the networks read something else with confidence: its proposal."""

    @property
    def is_settled(self) -> bool:
        """Whether somebody has decided what it says, or that it cannot be told."""
        return self not in (ImageState.UNLABELLED, ImageState.PROPOSED)

    @property
    def has_label(self) -> bool:
        """Whether it has a text that somebody gave or confirmed."""
        return self in (ImageState.CONFIRMED, ImageState.SUSPECTED)


class DatasetImage(Answer):
    """An image of a living dataset, and what is known of its text."""

    id: str = Field(examples=["image-0123456789abcdef0123456789abcdef"])
    name: str
    """Of the file as it was sent."""
    state: ImageState
    text: str | None
    """The label; null unless it is confirmed or suspected."""
    proposal: str | None
    """What was read on it."""
    confidence: float | None
    """Of the proposal, calibrated: the share of such proposals that are right."""
    proposed_by: str | None = Field(examples=["starter", "model meters version 3", "rapidocr"])
    by: str | None
    """Who gave it its state: the key's name, or the one that was sent."""
    at: datetime | None
    """When that was."""
    version: int
    """Changes of its label or state by people; sent with the next one, see PUT …/labels."""
    random: bool
    """Whether it was confirmed in random order: such images measure how right the proposals are."""
    width: int
    height: int
    image: str
    """The address of its preview on this service."""


class ImagePage(Answer):
    """Some images of a living dataset; count: how many there are in the asked state."""

    data: list[DatasetImage]
    count: int
    has_more: bool


class Estimate(Answer):
    """How right the proposals on the images without a label are, as far as is known."""

    accuracy: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    confirmed: int
    """Images in random order that it rests on."""
    remaining: int
    """Images without a label."""
    more_for_98: int | None
    """About how many more confirmations make 98 of 100 right; null where that cannot be told."""


class LivingDataset(Answer):
    """A dataset whose images and labels change."""

    id: str = Field(examples=["dataset-0123456789abcdef0123456789abcdef"])
    name: str
    version: int
    """Changes of its images and labels."""
    created_at: datetime
    bytes: int
    """Of all its images."""
    counts: dict[ImageState, int]
    estimate: Estimate | None
    """Null until enough images are confirmed in random order."""
    learning: str | None
    """The job that is learning from its labels, queued or running."""
    learned: int | None
    """The version that the proposals have learned from."""


class RejectedImage(Answer):
    """A file that could not become an image of the dataset."""

    name: str
    code: str
    message: str


class CreatedDataset(LivingDataset):
    """A dataset that was just made, and the images of the upload that it could not be made of."""

    rejected: list[RejectedImage]


class AddedImages(Answer):
    """What became of the files that were sent."""

    added: int
    known: int
    """Files whose content the dataset had."""
    rejected: list[RejectedImage]


class ChangedLabels(Answer):
    """The images whose labels were changed, and the dataset's version since."""

    data: list[DatasetImage]
    version: int


class Learning(Answer):
    """The job that learns from a dataset's labels."""

    job: str
