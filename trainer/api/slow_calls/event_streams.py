"""Streams of a job's events (server-sent events), for a limited number of clients."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.api.jobs import Event
from shared.errors import NotFoundError
from trainer.api.problems import answer
from trainer.api.slow_calls.call_limit import busy
from trainer.database.job_store import JobStore
from trainer.database.tables import unavailable

MOST_STREAMS = 100
THREADS = 2
"""Of their own: all streams together look at the database with these."""
POLL_SECONDS = 0.5
SILENT_POLLS = 30
"""After this many polls without an event a comment is sent, so that proxies keep the line."""
BATCH = 100

log = logging.getLogger("trainer.api.slow_calls.event_streams")


class EventStreams:
    """Follows jobs; what each stream waits for is an event or the job's end."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._open = 0
        self._threads = CapacityLimiter(THREADS)

    def require_room(self) -> None:
        """Raise ReadsmithError busy if no further stream may be opened."""
        if self._open >= MOST_STREAMS:
            raise busy("event streams")

    def response(self, job_id: str, seen: int) -> Response:
        """Return the stream of the events behind the one seen; 429 where too many are open.

        It ends early where the job is deleted or the database cannot be used: clients come back.
        """
        return _Stream(self, self._until_the_end(job_id, seen))

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Hold a place for a stream, and tell whether there is one."""
        has_room = self._open < MOST_STREAMS
        self._open += has_room
        try:
            yield has_room
        finally:
            self._open -= has_room

    async def _until_the_end(self, job_id: str, seen: int) -> AsyncIterator[str]:
        try:
            async for frame in self._frames(job_id, seen):
                yield frame
        except NotFoundError:
            return
        except SQLAlchemyError as error:
            log.warning("A stream of events ends: %s", unavailable(error).message)

    async def _frames(self, job_id: str, seen: int) -> AsyncIterator[str]:
        silent = 0
        while True:
            page, over = await to_thread.run_sync(
                self._store.news, job_id, BATCH, seen, limiter=self._threads
            )
            for event in page.data:
                yield _frame(event)
                seen = event.id
            if page.has_more:
                continue
            if over:
                return
            silent = 0 if page.data else silent + 1
            if silent == SILENT_POLLS:
                silent = 0
                yield ": still here\n\n"
            await asyncio.sleep(POLL_SECONDS)


class _Stream(StreamingResponse):
    """Holds a place as long as it is sent: a client may leave before that begins."""

    media_type = "text/event-stream"

    def __init__(self, streams: EventStreams, frames: AsyncIterator[str]) -> None:
        super().__init__(frames, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place() as has_room:
            response = super().__call__ if has_room else answer(busy("event streams"))
            await response(scope, receive, send)


def _frame(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
