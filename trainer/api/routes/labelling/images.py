"""The images of a living dataset: add, page through, look at, and take out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from shared.api.labelling import AddedImages, DatasetImage, ImagePage, ImageState
from shared.errors import TooLargeError, UnusableError
from trainer.api.access import AuditFacts
from trainer.api.problems import media_type, problem_responses, unsupported_media
from trainer.api.services import TheServices
from trainer.api.slow_calls.previews import (
    LARGEST_SIDE,
    LONGEST_SIDE,
    PREVIEW_RESPONSE,
    preview_answer,
)
from trainer.schemas.labelling import ImageOrder

MOST_IMAGES = 64
FIELD = "image"

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "maxItems": MOST_IMAGES,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}

router = APIRouter(
    prefix="/datasets/{dataset_id}/images",
    tags=["datasets"],
    responses=problem_responses(404, 409, 422, 503),
)


class ImageQuery(BaseModel):
    """Which images, in which order."""

    order: ImageOrder = Field(
        "name",
        description="informative: those first whose labels teach most; random: in an order that "
        "measures honestly; confidence: the surest proposals first; suspect: the suspected, the "
        "surest first; name.",
    )
    state: list[ImageState] = Field([], description="Images in these states; none: in all.")
    limit: int = Field(100, ge=1, le=1000)
    after: str | None = Field(None, description="The id of the last image seen.")


@router.post("", openapi_extra=FORM, responses=problem_responses(408, 413, 415, 429, 507))
async def add_images(
    services: TheServices, facts: AuditFacts, request: Request, dataset_id: str
) -> AddedImages:
    """Add up to 64 images, each a file in the form field `image`, under the files' names.

    An image whose bytes the dataset has is known, under whatever name; a file that is no image is
    rejected, and the others are added.
    """
    kind = media_type(request)
    if kind != "multipart/form-data":
        raise unsupported_media(kind, "Send a form: curl -F image=@0001.png -F image=@0002.png …")
    async with request.form(max_files=MOST_IMAGES + 1, max_fields=10) as form:
        files = [each for each in form.getlist(FIELD) if isinstance(each, UploadFile)]
        _require_images(len(files))

        def add(_: object) -> AddedImages:
            sent = [(each.filename or "image", each.file.read()) for each in files]
            return services.dataset_images.add(dataset_id, sent)

        added = await services.new_images.run(request, add)
    facts["added"] = added.added
    return added


@router.get("/{image_id}")
def read_image(services: TheServices, dataset_id: str, image_id: str) -> DatasetImage:
    """Read what is known of an image."""
    return services.dataset_images.get(dataset_id, image_id)


@router.get(
    "/{image_id}/image",
    response_class=Response,
    responses=PREVIEW_RESPONSE | problem_responses(429),
)
async def show_dataset_image(
    services: TheServices,
    request: Request,
    dataset_id: str,
    image_id: str,
    size: Annotated[int, Query(ge=16, le=LARGEST_SIDE)] = LONGEST_SIDE,
) -> Response:
    """Show an image, as a PNG of at most `size` pixels a side."""
    return await services.images.run(
        request, lambda _: preview_answer(services.dataset_images.read(dataset_id, image_id), size)
    )


@router.delete("/{image_id}", status_code=204)
def delete_image(services: TheServices, dataset_id: str, image_id: str) -> None:
    """Take an image and its label out. Its file goes with the dataset: a job may need it again."""
    services.dataset_images.remove(dataset_id, image_id)


def page_of_images(services: TheServices, dataset_id: str, wanted: ImageQuery) -> ImagePage:
    """Return a page of a living dataset's images."""
    return services.dataset_images.page(
        dataset_id, wanted.order, wanted.state, wanted.limit, wanted.after
    )


def _require_images(count: int) -> None:
    if count > MOST_IMAGES:
        raise TooLargeError(
            "too_many_images",
            f"The form holds more than {MOST_IMAGES} images.",
            "Send the others in further requests.",
        )
    if not count:
        message = "The form holds no file named image."
        raise UnusableError("request_invalid", message, "curl -F image=@0001.png sends one.", FIELD)
