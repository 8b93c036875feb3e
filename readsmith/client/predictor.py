"""What the predictor answers, typed."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from readsmith.client.errors import Problem


class Answer(BaseModel):
    """What a service says; fields that a newer one adds are kept beside the known ones."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def as_sent(self) -> dict[str, Any]:
        """Return it as JSON, nothing added and nothing left out."""
        return self.model_dump(mode="json", exclude_unset=True)


class Character(Answer):
    """One character, the model's probability for it, and its place.

    All in [0, 1]: start and end are shares of the image's width.
    """

    text: str
    confidence: float
    start: float
    end: float


class Alternative(Answer):
    """A text and its probability in [0, 1]."""

    text: str
    confidence: float


class Reason(Answer):
    """Why there is no text."""

    code: str
    message: str


class ImagePrediction(Answer):
    """What was read in an image; confidence in [0, 1]."""

    text: str | None
    """None if no text that fits the limits has any probability; reason says why."""
    confidence: float
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()
    """With top_k: the likeliest texts, this one first."""
    accepted: bool | None = None
    """With min_confidence: whether the confidence is at least that."""
    reason: Reason | None = None


class Prediction(ImagePrediction):
    """What a version of a model read in an image."""

    model: str
    version: int
    request_id: str
    note: str | None = None
    """What its user should know about the model that answered."""


class ImageError(Answer):
    """Why an image among several has no prediction."""

    error: Problem


class Predictions(Answer):
    """What a version of a model read in several images, in their order."""

    results: list[ImagePrediction | ImageError]
    model: str
    version: int
    request_id: str
    note: str | None = None


class ServedModel(Answer):
    """A model that answers now, and what was measured on its test part."""

    model: str
    version: int
    vocabulary: str
    exact_match: float | None
    exact_match_interval: tuple[float, float] | None
    cer: float | None
    test_images: int | None
    created_at: datetime
    loaded_at: datetime


class ServedModels(Answer):
    """The models that answer now."""

    data: list[ServedModel]


class Refusal(Answer):
    """A version that the predictor did not take, and why."""

    version: int | None
    reason: str


class ModelState(Answer):
    """The version of a model that answers, the one that should, and what is in the way."""

    version: int | None
    wanted: int | None
    refusal: Refusal | None


class Readiness(Answer):
    """Whether the predictor can read with any model."""

    ready: bool
    models: dict[str, ModelState]


class Feedback(Answer):
    """What became of feedback: status is handed_over, or kept while the trainer is away."""

    status: str
    model: str
    text: str
