"""Look at a received zip before a job trains on it."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from shared.api.datasets import DatasetCheck
from shared.api.labelling import ImagePage
from trainer.api.problems import problem_responses
from trainer.api.routes.labelling.images import ImageQuery, page_of_images
from trainer.api.services import Services, TheServices
from trainer.api.slow_calls.call_limit import WaitingClient
from trainer.api.slow_calls.previews import PREVIEW_RESPONSE, preview_answer
from trainer.database.rows import dataset_not_found
from trainer.files.shared_files import upload_name
from trainer.pipeline.datasets.check import check_upload, dataset_image
from trainer.schemas.job_request import JobRequest, Labels
from trainer.schemas.search_request import RequestPart

router = APIRouter(
    prefix="/datasets/{dataset_id}", tags=["datasets"], responses=problem_responses(404, 422, 503)
)


class CheckRequest(RequestPart):
    """How a job would look at the dataset."""

    labels: Labels = "auto"


@router.post("/check", responses=problem_responses(408, 415, 429, 507))
async def check_dataset(
    services: TheServices, request: Request, dataset_id: str, wanted: CheckRequest
) -> DatasetCheck:
    """Tell what a job would find in the dataset, and show some of its images' names and labels.

    The code of a 422 says why no job could train on it. One is checked at a time, few wait, and
    the check of a client that leaves is stopped.
    """

    def check(client: WaitingClient) -> DatasetCheck:
        path = uploaded_file(services, dataset_id)
        job = JobRequest(labels=wanted.labels)
        return check_upload(path, job, services.settings.dataset_limits, client.checkpoint)

    return await services.checks.run(request, check)


class AnyImages(ImageQuery):
    """Images of a living dataset, or one of an upload."""

    file: str | None = Field(
        None, max_length=4096, description="Of an upload: the image to show, as a PNG."
    )


@router.get(
    "/images", response_model=ImagePage, responses=PREVIEW_RESPONSE | problem_responses(409, 429)
)
async def list_images(
    services: TheServices,
    request: Request,
    dataset_id: str,
    wanted: Annotated[AnyImages, Query()],
) -> ImagePage | Response:
    """List the images of a living dataset, with their labels; or show one `file` of an upload.

    That image is a PNG of at most 400 pixels a side.
    """
    if wanted.file is None:
        return await run_in_threadpool(page_of_images, services, dataset_id, wanted)
    file = wanted.file

    def show(_: WaitingClient) -> Response:
        path = uploaded_file(services, dataset_id)
        return preview_answer(dataset_image(path, file, services.settings.dataset_limits))

    return await services.images.run(request, show)


def uploaded_file(services: Services, dataset_id: str) -> Path:
    """Return where an upload can be read; raises ReadsmithError dataset_not_found."""
    services.uploads.get(dataset_id)
    path = services.files.local(upload_name(dataset_id), services.settings.cache)
    if path is None:
        raise dataset_not_found(dataset_id)
    return path
