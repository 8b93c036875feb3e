"""Tell what an image really says, and look at what has been told."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Base64Bytes, BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from shared.api.datasets import Correction, CorrectionPage
from shared.recognition.preprocessing import image_format
from shared.store.manifest import MODEL_NAME_PATTERN
from trainer.api.access import AuditFacts
from trainer.api.problems import (
    checked,
    from_json,
    media_type,
    problem_responses,
    unsupported_media,
)
from trainer.api.services import TheServices
from trainer.api.slow_calls.outgoing_zip import zip_stream
from trainer.api.slow_calls.previews import PREVIEW_RESPONSE, preview_answer
from trainer.database.corrections import MAX_IMAGE_BYTES, NewCorrection
from trainer.schemas.job_request import Label
from trainer.schemas.search_request import RequestPart

ImageBytes = Annotated[bytes, Field(min_length=1, max_length=MAX_IMAGE_BYTES)]


class CorrectionForm(NewCorrection):
    """A correction as a form sends it."""

    image: ImageBytes


class CorrectionJson(NewCorrection):
    """A correction in JSON; the image is base64."""

    image: Annotated[Base64Bytes, Field(min_length=1, max_length=MAX_IMAGE_BYTES)]


class CorrectedText(RequestPart):
    """What an image really says."""

    text: Label


def _schema(model: type[BaseModel], **image: Any) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema["properties"]["image"] = {"type": "string", **image}
    return {"schema": schema}


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _schema(CorrectionForm, format="binary"),
            "application/json": _schema(CorrectionJson, contentEncoding="base64"),
        },
    }
}

ModelInPath = Annotated[str, Path(pattern=MODEL_NAME_PATTERN)]

router = APIRouter(
    prefix="/models/{name}", tags=["corrections"], responses=problem_responses(404, 422, 503)
)


@router.post(
    "/corrections",
    status_code=201,
    openapi_extra=BODY,
    responses={
        200: {"model": Correction, "description": "The image's correction was changed."},
        **problem_responses(408, 415, 429, 507),
    },
)
async def correct(
    services: TheServices,
    facts: AuditFacts,
    name: ModelInPath,
    request: Request,
    response: Response,
) -> Correction:
    """Submit an image's true text; for an image that was sent before, update it.

    A form with the file `image` and the field `text`, or JSON with the image in base64. What
    was read, how surely and by which version may be told, too. The model need not exist yet.
    """
    sent = await _sent(request)
    ending = await services.images.run(request, lambda _: image_format(sent.image))
    save = services.corrections.save
    saved, is_new = await run_in_threadpool(save, name, sent.image, ending, sent)
    facts["correction_id"] = saved.id
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/models/{name}/corrections/{saved.id}"
    return saved


@router.get("/corrections")
def list_corrections(
    services: TheServices,
    name: ModelInPath,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="The id of the last correction seen.")] = None,
) -> CorrectionPage:
    """List a model's corrections, newest first."""
    return services.corrections.page(name, limit, after)


@router.get(
    "/corrections.zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "A labelled set."}},
)
def download_corrections(services: TheServices, name: ModelInPath) -> StreamingResponse:
    """Download a model's corrections as a zip that POST /datasets takes."""
    chunks: Iterator[bytes] = zip_stream(services.corrections.files(name))
    headers = {"Content-Disposition": f'attachment; filename="{name}-corrections.zip"'}
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)


@router.get("/corrections/{correction_id}")
def read_correction(services: TheServices, name: ModelInPath, correction_id: str) -> Correction:
    """Read a correction."""
    return services.corrections.get(name, correction_id)


@router.get(
    "/corrections/{correction_id}/image",
    response_class=Response,
    responses=PREVIEW_RESPONSE | problem_responses(429),
)
async def show_corrected_image(
    services: TheServices, request: Request, name: ModelInPath, correction_id: str
) -> Response:
    """Show the image, as a PNG of at most 400 pixels a side."""
    return await services.images.run(
        request, lambda _: preview_answer(services.corrections.image(name, correction_id))
    )


@router.patch("/corrections/{correction_id}", responses=problem_responses(408, 415))
def change_correction(
    services: TheServices, name: ModelInPath, correction_id: str, right: CorrectedText
) -> Correction:
    """Give the image another right text."""
    return services.corrections.change(name, correction_id, right.text)


@router.delete("/corrections/{correction_id}", status_code=204)
def delete_correction(services: TheServices, name: ModelInPath, correction_id: str) -> None:
    """Delete a correction and its image."""
    services.corrections.remove(name, correction_id)


async def _sent(request: Request) -> CorrectionForm | CorrectionJson:
    kind = media_type(request)
    if kind == "application/json":
        return checked(CorrectionJson, from_json(await request.body()))
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=10) as form:
            return checked(CorrectionForm, {n: await _value(v) for n, v in form.items()})
    hint = "Send a form, curl -F image=@captcha.png -F text=2b827 …, or JSON."
    raise unsupported_media(kind, hint)


async def _value(value: UploadFile | str) -> bytes | str:
    return value if isinstance(value, str) else await value.read()
