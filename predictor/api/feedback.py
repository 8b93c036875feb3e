"""POST /feedback: what an image really says, handed over to the trainer."""

import base64
import hashlib
import json
from typing import Annotated, Any

from flask import Flask, Request, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from predictor.api.review import archive_disabled
from predictor.feedback.image_archive import ArchivedImage, ImageArchive
from predictor.feedback.outbox import Outbox
from predictor.feedback.trainer_client import TrainerClient
from predictor.models.registry import Registry
from predictor.requests.bodies import json_of
from predictor.requests.images import (
    BASE64,
    IMAGE_FIELDS,
    TEXT,
    exactly_one,
    form_of,
    image_bytes,
)
from predictor.requests.memory import Lease, MemoryBudget
from predictor.requests.problems import unsupported_media, validated
from predictor.settings import PredictorSettings
from shared.errors import TrainerAwayError, UnavailableError, UnusableError
from shared.recognition.preprocessing import open_image
from shared.recognition.vocabulary import normalise_label
from shared.store.manifest import ModelName

SOURCE = "feedback"
MOST_PARTS = 5
CORRECTION_COPIES = 2
"""Of the image, while its correction is made and sent, for each copy of a body."""
MAX_CORRECTION_IMAGE_BYTES = 10_000_000
"""The trainer takes no larger ones."""
EXAMPLE = 'For example: curl -F "image=@captcha.png" -F text=2b827 …/feedback'


def _usable(text: str) -> str:
    label = normalise_label(text)
    if not label:
        raise ValueError("it is empty")
    return label


class FeedbackRequest(BaseModel):
    """The right text, and of which image; each description says what is right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_usable)] = Field(
        description="what the image really says, up to 1000 characters"
    )
    request_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="the request_id of a prediction that was archived",
    )
    index: int = Field(
        0, ge=0, le=1_000_000, description="the image's place in that request, from 0"
    )
    model: ModelName | None = Field(None, description="the name of a model, as text")


class JsonFeedback(FeedbackRequest):
    """FeedbackRequest as JSON: of a request, or with its image."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=exactly_one(image=TEXT, request_id=TEXT),
    )

    image: str | None = Field(
        None, description="the image, base64 or a data: URL", json_schema_extra=BASE64
    )


def add_feedback(
    app: Flask,
    settings: PredictorSettings,
    registry: Registry,
    archive: ImageArchive | None,
    outbox: Outbox | None,
    memory: MemoryBudget,
) -> None:
    """Add the route; None stands for what the settings leave out."""
    trainer = TrainerClient(settings) if settings.trainer_url else None
    most = min(settings.max_image_bytes, MAX_CORRECTION_IMAGE_BYTES)
    settings = settings.model_copy(update={"max_image_bytes": most})

    @app.post("/feedback")
    def feedback() -> tuple[dict[str, str], int]:
        with memory.lease() as lease:
            return accept(lease)

    def accept(lease: Lease) -> tuple[dict[str, str], int]:
        if trainer is None:
            raise UnavailableError(
                "feedback_disabled",
                "The predictor does not know where the trainer is.",
                "READSMITH_TRAINER_URL says so, for example http://127.0.0.1:8000.",
            )
        told, sent = _parse(request, settings, lease)
        read = None if sent is not None else _archived(archive, told)
        image = read.image if read else sent
        assert image is not None  # noqa: S101  told by request_id, or sent
        model = told.model or (read.model if read else None)
        model = registry.learning(registry.answering(model))
        lease.hold_body(CORRECTION_COPIES * len(image))
        sha256 = hashlib.sha256(image).hexdigest()
        correction = _correction(told.text, image, read)
        status = "delivered"
        try:
            with trainer.turn():
                if outbox is not None:
                    outbox.discard(model, sha256)
                trainer.correct(model, correction, request.headers.get("Authorization"))
        except TrainerAwayError:
            if outbox is None:
                raise
            outbox.add(model, sha256, correction)
            status = "queued"
        if archive is not None and read is not None:
            archive.mark_done(read.id)
        return {"status": status, "model": model, "text": told.text}, 202


def _archived(archive: ImageArchive | None, told: FeedbackRequest) -> ArchivedImage:
    if archive is None:
        raise archive_disabled()
    return archive.get(f"{told.request_id}.{told.index}")


def _correction(text: str, image: bytes, read: ArchivedImage | None) -> bytes:
    facts: dict[str, Any] = {"text": text, "source": SOURCE}
    if read is not None:
        facts |= {"read": read.text, "confidence": read.confidence, "version": read.version}
    return json.dumps(facts | {"image": base64.b64encode(image).decode()}).encode()


def _parse(
    request: Request, settings: PredictorSettings, lease: Lease
) -> tuple[FeedbackRequest, bytes | None]:
    """Return what was told, and the image unless it is one of an earlier request.

    Raises ReadsmithError.
    """
    image: bytes | str | None
    if request.mimetype == "multipart/form-data":
        told, image = _form(request, lease)
    elif request.mimetype == "application/json":
        told = json_of(JsonFeedback, request, lease)
        image = told.image
    else:
        hint = f"Send multipart/form-data or application/json. {EXAMPLE}"
        raise unsupported_media(request.mimetype, hint)
    if (image is None) == (told.request_id is None):
        raise UnusableError(
            "request_invalid",
            f"There is {'neither an image nor' if image is None else 'both an image and'} a "
            "request_id.",
            f"Send the one or the other. {EXAMPLE}",
            "image",
        )
    if image is None:
        return told, None
    data = image_bytes("image", image, settings)
    open_image(data, lease.hold_decoding)
    return told, data


def _form(request: Request, lease: Lease) -> tuple[FeedbackRequest, bytes | str | None]:
    form = form_of(request, lease, MOST_PARTS)
    files = [name for name, _ in form.files]
    if len(files) > 1 or not set(files) <= set(IMAGE_FIELDS):
        raise UnusableError(
            "request_invalid",
            f"The files are {', '.join(files)[:80]!r}.",
            f"Send one, image. {EXAMPLE}",
            "image",
        )
    told = validated(FeedbackRequest, form.texts)
    return told, form.files[0][1] if files else None
