"""Post, list, read, cancel and finish jobs."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response

from shared.api.jobs import Job, JobPage, Status
from shared.errors import ConflictError, DatasetNotFoundError, NotFoundError, UnusableError
from shared.store.manifest import REPORT
from trainer.api.access import AuditFacts
from trainer.api.problems import media_type, problem_responses, unsupported_media
from trainer.api.services import Services, TheServices
from trainer.schemas.job_request import JobRequest

router = APIRouter(tags=["jobs"], responses=problem_responses(422, 503))


async def _require_json(request: Request) -> None:
    kind = media_type(request)
    if await request.body() and kind != "application/json":
        raise unsupported_media(kind, "Send JSON with the header Content-Type: application/json.")


@router.post(
    "/jobs",
    status_code=202,
    dependencies=[Depends(_require_json)],
    responses=problem_responses(408, 415, 429),
)
def create_job(
    services: TheServices,
    facts: AuditFacts,
    response: Response,
    request: Annotated[JobRequest, Body()] = JobRequest(),  # noqa: B008 - frozen
    idempotency_key: Annotated[
        str | None, Header(max_length=255, pattern="^[!-~]+$", examples=["9f0c4c1e-2e7b"])
    ] = None,
) -> Job:
    """Queue a training run; an empty body asks for the default one.

    The same Idempotency-Key with the same body answers with the job that it made the first time,
    also while the first request is still worked on; with another body it is refused.
    """
    job = services.jobs.repeated(request, idempotency_key)
    if job is None:
        _require_base(request, services)
        job = _create(request, idempotency_key, services)
    facts.update(job_id=job.id, model=job.model)
    response.headers["Location"] = f"/jobs/{job.id}"
    return job


@router.get("/jobs", responses=problem_responses(404))
def list_jobs(
    services: TheServices,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The id of the last job seen.")] = None,
) -> JobPage:
    """List jobs, newest first.

    A page also ends before it has more than 1 MB: go on after its last job while `has_more`. Lists
    leave out what may be large, which GET /jobs/{id} has: `relabel` of the request, the `dataset`
    summary and the `trials` of a search.
    """
    return services.jobs.page(limit, after)


@router.get("/jobs/{job_id}", responses=problem_responses(404))
def read_job(services: TheServices, job_id: str) -> Job:
    """Read a job."""
    return services.jobs.get(job_id)


@router.post("/jobs/{job_id}/cancel", responses=problem_responses(404, 409))
def cancel_job(services: TheServices, job_id: str) -> Job:
    """Cancel a queued job, or ask a running one to stop, which it does within 10 s."""
    return services.jobs.cancel(job_id)


@router.post("/jobs/{job_id}/finish", responses=problem_responses(404, 409))
def finish_job(services: TheServices, job_id: str) -> Job:
    """Ask a job in stage train to end its training soon and publish the best.

    Its learning rate falls at once, within a tenth of the steps so far; then it is evaluated and
    published as usual. A search ends the trials that are running, and goes on with the best.
    """
    return services.jobs.finish(job_id)


@router.get("/jobs/{job_id}/report", responses=problem_responses(404, 409))
def read_report(services: TheServices, job_id: str) -> dict[str, Any]:
    """Read the evaluation of the version that a job published.

    Metrics and training history; calibration with its table of thresholds; confusions, insertions
    and deletions of characters and what is right by_character and by_length; wrong predictions; and
    suspects, images that are read surely and otherwise than their labels say. Images, curves and
    TensorBoard's event files are in the version's folder report.
    """
    job = services.jobs.get(job_id)
    if job.status is not Status.SUCCEEDED or job.version is None:
        raise ConflictError(
            "job_not_succeeded",
            f"Job {job_id} is {job.status}, so it has no report.",
            "Only a job that has succeeded has one.",
        )
    path = services.models.folder(job.model, job.version) / REPORT / "metrics.json"
    try:
        report: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            "report_not_found",
            f"Version {job.version} of {job.model} holds no report, or is no longer retained.",
            f"GET /models/{job.model} names the retained versions.",
        ) from None
    return report


def _require_base(request: JobRequest, services: Services) -> None:
    versions = services.models.versions(request.model)
    if isinstance(request.base, int) and request.base not in versions:
        there = f"the versions {', '.join(map(str, versions))}" if versions else "no version yet"
        message = f"Model {request.model} has {there}, not {request.base}."
        hint = f"GET /models/{request.model} names the retained versions."
        raise UnusableError("request_invalid", message, hint, "base")


def _create(request: JobRequest, idempotency_key: str | None, services: Services) -> Job:
    try:
        version = services.dataset_versions.settle(request.dataset)
        return services.jobs.create(request, idempotency_key, dataset_version=version)
    except DatasetNotFoundError as error:
        raise UnusableError("request_invalid", error.message, error.hint, "dataset.id") from None
