"""Follow a job: pages of events, or a stream of them (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from shared.api.jobs import Event, EventPage
from trainer.api.problems import problem_responses
from trainer.api.services import TheServices
from trainer.database.job_store import JobStore

POLL_SECONDS = 0.5
SILENT_POLLS = 30
"""After this many polls without an event a comment is sent, so that proxies keep the line."""
BATCH = 100

router = APIRouter(tags=["jobs"], responses=problem_responses(404, 422, 503))


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

    A stream goes on after Last-Event-ID, and after `after` without one.
    """
    if "text/event-stream" not in accept:
        return services.jobs.events(job_id, limit, after)
    seen = after if last_event_id is None else last_event_id
    over = services.jobs.get(job_id).status.is_final
    if over and not services.jobs.events(job_id, 1, seen).data:
        return Response(status_code=204)  # tells an EventSource not to come back
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _stream(services.jobs, job_id, seen), media_type="text/event-stream", headers=headers
    )


async def _stream(store: JobStore, job_id: str, seen: int) -> AsyncIterator[str]:
    silent = 0
    while True:
        job = await run_in_threadpool(store.get, job_id)
        page = await run_in_threadpool(store.events, job_id, BATCH, seen)
        for event in page.data:
            yield _frame(event)
            seen = event.id
        if page.has_more:
            continue
        if job.status.is_final:  # read before the events, so that none came after them
            return
        silent = 0 if page.data else silent + 1
        if silent == SILENT_POLLS:
            silent = 0
            yield ": still here\n\n"
        await asyncio.sleep(POLL_SECONDS)


def _frame(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
