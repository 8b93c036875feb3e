"""What the predictor answers about images.

It builds its answers as plain dictionaries, which is faster; the tests hold them to these models.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.api.answer import Answer
from shared.api.problems import Problem

Share = Annotated[float, Field(ge=0, le=1)]
"""A probability, or a place within the image."""


Point = tuple[float, float]

MOST_SHOTS = 16
"""Images that are shots of one thing. What all of them output is held together, and compared with
every text that is allowed."""


class Character(Answer):
    """One character of a text, a letter with its marks, and the model's probability for it."""

    text: str = Field(
        description="A grapheme cluster: several code points where marks combine with a letter."
    )
    confidence: Share
    start: Share = Field(description="Share of the image's width.")
    end: Share = Field(description="Share of the image's width.")


class Alternative(Answer):
    """A text and its probability."""

    text: str
    confidence: Share


class Reason(Answer):
    """Why there is no text."""

    code: str
    message: str


class ModelInput(Answer):
    """An image as the model saw it: fitted to its size, gray or RGB, not yet scaled."""

    png: str = Field(json_schema_extra={"contentEncoding": "base64"})
    width: int = Field(ge=1, description="Pixels.")
    height: int = Field(ge=1, description="Pixels.")


class ImagePrediction(Answer):
    """What was read in an image."""

    text: str | None = Field(description="null if no text that fits has any probability.")
    confidence: Share
    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = Field(
        (), description="The likeliest texts, this one first; with top_k."
    )
    accepted: bool | None = Field(None, description="Is it sure enough; with min_confidence.")
    corners: tuple[Point, Point, Point, Point] | None = Field(
        None,
        description="The line's corners, from the upper left of the text clockwise: x and y in "
        "pixels of the sent image, turned as its EXIF tag says. Of models with a detector, unless "
        "crop is off or no line is found.",
    )
    reason: Reason | None = Field(
        None, description="Why text is null or empty; only there if it is."
    )
    input: ModelInput | None = Field(None, description="What the model saw; with show_input.")


class ImageError(Answer):
    """Why an image among several has no prediction."""

    error: Problem


class AnswerOrigin(Answer):
    """Which version of which model answered which request."""

    model: str
    version: int = Field(ge=1)
    request_id: str
    note: str | None = Field(
        None, description="Says that the starter answered, for want of a model."
    )


class Prediction(ImagePrediction, AnswerOrigin):
    """What a version of a model read in an image."""


class Predictions(AnswerOrigin):
    """What a version of a model read in several images, in their order."""

    results: list[ImagePrediction | ImageError]


class Frame(Answer):
    """What one of several shots says by itself."""

    text: str | None = Field(description="null if no text that fits has any probability.")
    confidence: Share
    agrees: bool = Field(description="Whether this is the text that all shots give together.")
    input: ModelInput | None = Field(None, description="What the model saw; with show_input.")


class CombinedPrediction(ImagePrediction, AnswerOrigin):
    """What a version of a model read in several shots of one thing; with combine."""

    frame: int | None = Field(
        description="The index of the frame in which the characters are located, the one in which "
        "the text is the likeliest; null without a text."
    )
    frames: list[Frame | ImageError] = Field(
        description="What each image says by itself, in their order, or why it was left out."
    )


class FeedbackReceipt(Answer):
    """What became of feedback."""

    status: str = Field(
        description="queued: it waits here until the trainer is back.",
        json_schema_extra={"enum": ["delivered", "queued"]},
    )
    model: str = Field(description="The model whose correction it is.")
    text: str


class ReviewItem(Answer):
    """An image that waits for a look, and how it was read."""

    request_id: str
    index: int = Field(ge=0, description="Its place among the images of the request.")
    model: str = Field(description="The model whose correction it would be.")
    version: int | None = Field(description="That read it; null if the starter did.")
    text: str | None
    confidence: Share
    created_at: datetime
    image: str = Field(description="The address of the image on this service.")


class ReviewQueue(Answer):
    """Images that wait for a look, the least sure first, and how many there are."""

    data: list[ReviewItem]
    count: int
