"""A limit for calls of one kind that may take long: a few at a time, a few wait, others get 429."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from shared.background import in_background
from shared.errors import BusyError
from trainer.schemas.progress import CancelledRunError, Observer

RETRY_SECONDS = 5

T = TypeVar("T")


def busy(what: str) -> BusyError:
    """Return the error for one request too many of a kind."""
    return BusyError(
        "busy",
        f"The trainer works on as many {what} at a time as it may.",
        "Try again in some seconds.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


class WaitingClient(Observer):
    """The client that waits for a call; `checkpoint` raises CancelledRunError once it is gone."""

    def __init__(self) -> None:
        self.is_gone = threading.Event()

    def checkpoint(self) -> None:
        """Give the chance to stop."""
        if self.is_gone.is_set():
            raise CancelledRunError

    async def leaves(self, request: Request) -> None:
        """Return when the client has closed the connection; the body must have been read."""
        try:
            while (await request.receive())["type"] != "http.disconnect":
                pass
        except HTTPException:
            pass  # a body that stopped coming: it is not needed any more
        self.is_gone.set()


class CallLimit:
    """Runs calls of one kind in threads of their own; who waits for a turn holds no thread.

    what: the plural, for messages. running, waiting: at most so many calls.
    """

    def __init__(self, what: str, *, running: int, waiting: int) -> None:
        self._what = what
        self._most = running + waiting
        self._accepted = 0
        self._turns = asyncio.Semaphore(running)

    async def run(self, request: Request, call: Callable[[WaitingClient], T]) -> T:
        """Return what a call returns that checks now and then whether its client is still there.

        Raises what the call raises, ReadsmithError busy, and ClientDisconnect, also for a client
        that left while it waited for its turn: that call never begins.
        """
        if self._accepted >= self._most:
            raise busy(self._what)
        self._accepted += 1
        client = WaitingClient()
        gone = asyncio.create_task(client.leaves(request))
        try:
            await self._await_turn(gone)
            try:
                return await asyncio.wrap_future(in_background(partial(call, client)))
            finally:
                self._turns.release()
        except CancelledRunError:
            raise ClientDisconnect from None
        finally:
            client.is_gone.set()  # a service that ends does not wait for the call either
            gone.cancel()
            self._accepted -= 1

    async def _await_turn(self, gone: "asyncio.Task[None]") -> None:
        turn = asyncio.create_task(self._turns.acquire())
        await asyncio.wait((turn, gone), return_when=asyncio.FIRST_COMPLETED)
        if not turn.done():
            turn.cancel()
            raise ClientDisconnect
