"""What the predictor answers, asked through the trainer."""

import tempfile
from functools import partial
from typing import IO, Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from trainer.api.access import client_address
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices

IN_MEMORY = 100_000
"""Bytes of a request's body; larger ones are buffered on disk."""

ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "What the predictor answers; its errors pass as they are."}
}
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "As for the predictor's POST /predict.",
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            },
            "application/json": {"schema": {"type": "object"}},
        },
    }
}

router = APIRouter(tags=["predictor"], responses=ANSWER | problem_responses(429, 503))


@router.post(
    "/try",
    response_class=Response,
    openapi_extra=BODY,
    responses=problem_responses(404, 408, 415, 422, 507),
)
async def try_images(services: TheServices, request: Request) -> Response:
    """Read images as the predictor's POST /predict does, with the same options."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(services.settings.state)) as body:
        async for chunk in request.stream():
            body.write(chunk)
        return await _passed_on(services, request, "/predict", body)


@router.get("/try/models", response_class=Response)
async def list_served_models(services: TheServices, request: Request) -> Response:
    """List what the predictor serves, as its GET /models does."""
    return await _passed_on(services, request, "/models")


@router.get("/review", response_class=Response, responses=problem_responses(404))
async def list_archived_images(services: TheServices, request: Request) -> Response:
    """List the images that the predictor has archived, the least confident prediction first."""
    return await _passed_on(services, request, "/review")


@router.get("/review/{image_id}", response_class=Response, responses=problem_responses(404, 422))
async def show_archived_image(services: TheServices, request: Request, image_id: str) -> Response:
    """Show an image that the predictor has archived."""
    return await _passed_on(services, request, f"/review/{quote(image_id, safe='')}")


@router.delete("/review/{image_id}", response_class=Response, responses=problem_responses(404, 422))
async def delete_archived_image(services: TheServices, request: Request, image_id: str) -> Response:
    """Delete an image that the predictor has archived: it has been reviewed."""
    return await _passed_on(services, request, f"/review/{quote(image_id, safe='')}")


async def _passed_on(
    services: TheServices,
    request: Request,
    path: str,
    body: IO[bytes] | None = None,
) -> Response:
    query = request.url.query
    ask = partial(
        services.predictor.ask,
        request.method,
        f"{path}?{query}" if query else path,
        request.headers,
        client_address(request.scope, services.settings.behind_gateway),
        body,
    )
    return await services.predictions.run(request, lambda _: ask())
