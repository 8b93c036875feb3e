"""What the trainer answers about datasets and corrections."""

from datetime import datetime
from typing import Any

from pydantic import Field

from shared.api.answer import Answer
from shared.api.labelling import LivingDataset


class Upload(Answer):
    """A dataset that was received whole."""

    id: str = Field(examples=["dataset-0123456789abcdef0123456789abcdef"])
    name: str | None = None
    """As PATCH /datasets/{id} has set it."""
    bytes: int
    sha256: str
    created_at: datetime


class DatasetPage(Answer):
    """Datasets, newest first: uploads, which have a sha256, and living ones, with a version."""

    data: list[Upload | LivingDataset]
    has_more: bool


class Sample(Answer):
    """One usable image of a dataset, and its label."""

    file: str
    label: str


class DatasetCheck(Answer):
    """What a job would find in a dataset: the summary as in the job, and some images."""

    summary: dict[str, Any]
    samples: list[Sample]


class Correction(Answer):
    """An image and its right text."""

    id: str = Field(examples=["correction-0123456789abcdef0123456789abcdef"])
    model: str
    text: str
    read: str | None
    confidence: float | None
    version: int | None
    source: str | None
    sha256: str
    """Of the image's file."""
    created_at: datetime
    image: str
    """The address of the image on this service."""


class CorrectionPage(Answer):
    """Some of a model's corrections, newest first, and how many there are."""

    data: list[Correction]
    count: int
    has_more: bool
