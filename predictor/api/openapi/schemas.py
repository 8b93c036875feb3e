"""The shapes of what the predictor answers, as its OpenAPI description gives them.

Answers are built as plain dictionaries, which is faster; the tests hold them to these shapes.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import CODES
from shared.recognition.preprocessing import ImageSpec


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Answer):
    """What is wrong, as RFC 9457 wants it."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str = Field(description="What was wrong, and where.")
    code: str = Field(
        description="A stable name of what was wrong.", json_schema_extra={"enum": list(CODES)}
    )
    hint: str = Field(description="What would be right.")
    field: str = Field("", description="The part of the request that is wrong, if one is.")


class ProblemAnswer(Problem):
    """Why the whole request has no answer."""

    request_id: str


class Character(_Answer):
    """One character of a text."""

    text: str
    confidence: float = Field(ge=0, le=1)
    start: float = Field(ge=0, le=1, description="Share of the image's width.")
    end: float = Field(ge=0, le=1, description="Share of the image's width.")


class Alternative(_Answer):
    """A text and its probability."""

    text: str
    confidence: float = Field(ge=0, le=1)


class Reason(_Answer):
    """Why there is no text."""

    code: Literal["nothing_fits"]
    message: str


class ModelInput(_Answer):
    """An image as the model saw it: fitted to its size, gray or RGB, not yet scaled."""

    png: str = Field(json_schema_extra={"contentEncoding": "base64"})
    width: int = Field(ge=1, description="Pixels.")
    height: int = Field(ge=1, description="Pixels.")


class ImagePrediction(_Answer):
    """What was read in one image."""

    text: str | None = Field(description="null if no text that fits has any probability.")
    confidence: float = Field(ge=0, le=1)
    characters: list[Character]
    alternatives: list[Alternative] = Field([], description="The likeliest texts; with top_k.")
    accepted: bool = Field(False, description="Is it sure enough; with min_confidence.")
    reason: Reason | None = Field(None, description="Why text is null; only there if it is.")
    input: ModelInput | None = Field(None, description="What the model saw; with show_input.")


class ImageError(_Answer):
    """Why one image among several has no prediction."""

    error: Problem


class _Origin(_Answer):
    model: str
    version: int = Field(ge=1)
    request_id: str
    note: str = Field("", description="Says that the starter answered, for want of a model.")


class Prediction(ImagePrediction, _Origin):
    """What a version of a model read in the one image of the request."""


class Predictions(_Origin):
    """What a version of a model read in several images, in their order."""

    results: list[ImagePrediction | ImageError]


class FeedbackTaken(_Answer):
    """What became of a correction."""

    status: Literal["handed_over", "kept"] = Field(
        description="kept: it waits here until the trainer is back."
    )
    model: str = Field(description="The model whose correction it is.")
    text: str


class ReviewItem(_Answer):
    """An image that waits for a look, and how it was read."""

    request_id: str
    index: int = Field(ge=0, description="Its place among the images of the request.")
    model: str = Field(description="The model whose correction it would be.")
    version: int | None = Field(description="That read it; null if the starter did.")
    text: str | None
    confidence: float = Field(ge=0, le=1)
    created_at: datetime
    image: str = Field(description="The address of the image on this service.")


class ReviewQueue(_Answer):
    """Images that wait for a look, the least sure first, and how many there are."""

    data: list[ReviewItem]
    kept: int


class ModelDescription(_Answer):
    """A model that answers now; what was not measured is null."""

    model: str
    version: int = Field(ge=1)
    vocabulary: str
    image: ImageSpec
    origin: Literal["trained", "imported"]
    preset: str | None
    dataset: str
    exact_match: float | None
    exact_match_interval: list[float] | None
    cer: float | None
    test_images: int | None
    created_at: datetime
    loaded_at: datetime


class Models(_Answer):
    """The models that answer now."""

    data: list[ModelDescription]


class RefusedVersion(_Answer):
    """A version that was not taken; its number is null if it cannot be read."""

    version: int | None
    reason: str


class ModelState(_Answer):
    """What the worker that answers knows about one model."""

    version: int | None = Field(description="The one that answers, if any.")
    loaded_at: datetime | None
    wanted: int | None = Field(description="The one that should answer.")
    refusal: RefusedVersion | None
    refusals: int


class StorageAway(_Answer):
    """The object storage of the models cannot be used; what was loaded or kept goes on reading."""

    since: datetime
    reason: str


class Readiness(_Answer):
    """Whether this worker can read, and with which versions."""

    ready: bool
    pid: int
    models: dict[str, ModelState]
    storage_away: StorageAway | None = Field(description="Null while it answers.")


class Alive(_Answer):
    """This process is alive."""

    status: Literal["alive"]


class About(_Answer):
    """What this is."""

    service: str
    routes: dict[str, str]
