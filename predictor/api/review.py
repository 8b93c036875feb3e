"""The routes of archived images: a queue for review, the least confident predictions first."""

import io
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field

from predictor.feedback.image_archive import ArchivedImage, ImageArchive
from predictor.requests.memory import MemoryBudget
from predictor.requests.problems import validated
from shared.api.headers import IMAGE_HEADERS
from shared.errors import NotFoundError, ReadsmithError
from shared.recognition.preprocessing import open_image
from shared.store.manifest import MAX_MODEL_NAME


class ReviewQuery(BaseModel):
    """What to list; each description says what is right."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        None, max_length=MAX_MODEL_NAME, description="the name of a model, as text"
    )
    limit: int = Field(50, ge=1, le=1000, description="a number from 1 to 1000")


def add_review(app: Flask, archive: ImageArchive | None, memory: MemoryBudget) -> None:
    """Add the routes; archive is None where no images are archived."""

    @app.get("/review")
    def review() -> dict[str, Any]:
        query = validated(ReviewQuery, request.args.to_dict())
        images, count = _required(archive).least_confident(query.model, query.limit)
        return {"data": [_described(one) for one in images], "count": count}

    @app.get("/review/<image_id>")
    def review_image(image_id: str) -> Response:
        with ExitStack() as stack:
            lease = stack.enter_context(memory.lease())
            image = open_image(_required(archive).get(image_id).image, lease.hold_decoding)
            file = io.BytesIO()
            image.save(file, "PNG")  # whatever else the file held stays here
            answer = Response(file.getvalue(), 200, IMAGE_HEADERS, content_type="image/png")
            answer.call_on_close(stack.pop_all().close)  # a slow client gets it slowly
        return answer

    @app.delete("/review/<image_id>")
    def looked_at(image_id: str) -> tuple[str, int]:
        _required(archive).remove(image_id)
        return "", 204


def _required(archive: ImageArchive | None) -> ImageArchive:
    if archive is None:
        raise archive_disabled()
    return archive


def archive_disabled() -> ReadsmithError:
    """Return the error that says that keeping images is off."""
    return NotFoundError(
        "archive_disabled",
        "The predictor keeps no images.",
        "READSMITH_IMAGE_ARCHIVE names a folder where it may keep them for a look.",
    )


def _described(archived: ArchivedImage) -> dict[str, Any]:
    return {
        "request_id": archived.request_id,
        "index": archived.position,
        "model": archived.model,
        "version": archived.version,
        "text": archived.text,
        "confidence": archived.confidence,
        "created_at": datetime.fromtimestamp(archived.created, UTC).isoformat(),
        "image": f"/review/{archived.id}",
    }
