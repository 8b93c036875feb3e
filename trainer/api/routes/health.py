"""Whether the trainer lives and works."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import DBAPIError

from shared.api.health import Health, TrainerReadiness
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices
from trainer.database.tables import unavailable

router = APIRouter(tags=["health"])


@router.get("/healthz", responses={503: {"model": Health, "description": "Stuck"}})
async def healthz(services: TheServices, response: Response) -> Health:
    """Say that the process answers; 503 where most of its routes have not for 20 seconds."""
    # Not in a thread: it tells when there is none.
    problem = services.thread_pool.problem()
    if problem is None:
        return Health()
    response.status_code = 503
    return Health(status=f"stuck: {problem}")


@router.get("/readyz", responses={503: {"model": TrainerReadiness, "description": "Not ready"}})
def readyz(services: TheServices, response: Response) -> TrainerReadiness:
    """Say whether jobs can be taken."""
    lease = services.settings.lease_seconds
    workers, problems, database = None, [], "ok"
    try:
        workers = services.jobs.live_workers(lease)
        problems = services.jobs.worker_problems(lease)
    except DBAPIError as error:
        database = unavailable(error).message
    store = services.models.problem() or "ok"
    ready = database == store == "ok"
    response.status_code = 200 if ready else 503
    return TrainerReadiness(
        ready=ready, database=database, store=store, workers=workers, worker_problems=problems
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problem_responses(503)},
)
def metrics(services: TheServices) -> Response:
    """Tell Prometheus of requests and jobs."""
    return Response(generate_latest(services.registry), media_type=CONTENT_TYPE_LATEST)
