"""HTTP/1.1 as uvicorn speaks it, but a request must come, and what is none gets a problem."""

import asyncio
import resource
import sys
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.errors import of_status
from trainer.api.problems import answer

HEAD_BYTES: Final = 32_768
"""Largest request line and headers together; as much as the gateway lets through."""
HEAD_SECONDS: Final = 15.0
"""How long a request line and headers may take: a connection costs a file descriptor."""


BACKLOG: Final = 128
"""Connections that wait to be accepted: asyncio accepts all of them in one go."""
OTHER_FILES: Final = 192
"""That the API may have open beside its connections: databases, uploads, requests to others."""


def most_connections() -> int:
    """Return how many connections fit into the limit of open files.

    Without files asyncio accepts nothing, and writes 2,000 errors a second into the log.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(1, files - BACKLOG - OTHER_FILES)


class HttpProtocol(H11Protocol):
    """One connection of the trainer's API.

    Beyond most_connections the one that has waited for its head the longest gives way.
    """

    _headless: ClassVar[dict["HttpProtocol", None]] = {}
    """Connections that wait for a head, the longest first."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > most_connections():
            oldest = next(iter(self._headless))
            oldest._head_came()
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first of a request's head begin its time, the last end it."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._head_came()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_came()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP with a problem document, and close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # the answer was under way when the body broke
            return
        error = of_status(400, "This is not valid HTTP/1.1.", "Let a client write the request.")
        if len(self.conn.trailing_data[0]) > HEAD_BYTES:
            message = f"The request line and headers have more than {HEAD_BYTES} bytes."
            error = of_status(431, message, "Send less in them.")
        refusal = answer(error, headers={"Connection": "close"})
        for event in (
            h11.Response(status_code=error.http_status, headers=refusal.raw_headers),
            h11.Data(data=bytes(refusal.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)
            self._headless[self] = None

    def _head_came(self) -> None:
        self._headless.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
