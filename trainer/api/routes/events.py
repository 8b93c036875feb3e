"""Follow a job: pages of events, or a stream of them (server-sent events)."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from shared.api.jobs import EventPage
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices

router = APIRouter(tags=["jobs"], responses=problem_responses(404, 422, 429, 503))


@router.get(
    "/jobs/{job_id}/events",
    response_model=EventPage,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "The stream was seen to its end."},
    },
)
def read_events(
    services: TheServices,
    job_id: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Last event id seen.")] = 0,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[int | None, Header(ge=0, le=2**63 - 1)] = None,
) -> EventPage | Response:
    """Read events oldest first; with `Accept: text/event-stream`, follow them to the job's end.

    A stream goes on after Last-Event-ID, and after `after` without one. Beyond 100 open streams,
    further ones are answered with 429.
    """
    if "text/event-stream" not in accept:
        return services.jobs.events(job_id, limit, after)
    services.streams.require_room()  # before the database is asked
    seen = after if last_event_id is None else last_event_id
    page, over = services.jobs.news(job_id, 1, seen)
    if over and not page.data:
        return Response(status_code=204)  # tells an EventSource not to come back
    return services.streams.response(job_id, seen)
