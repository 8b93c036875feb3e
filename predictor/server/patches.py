"""Replaces internals of gunicorn for which it has no setting and no hook.

tests/integration/predictor/test_gunicorn_internals.py fails when gunicorn changes what is
replaced here, overridden in arbiter.py, or relied on by either.
"""

import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.http.wsgi import Response
from gunicorn.util import close_graceful

from shared.api.problems import problem
from shared.errors import of_status


def write_problem(client: socket.socket, status: int, _reason: str, message: str) -> None:
    """Answer a request that never reaches the app with a problem document; announce the close.

    Replaces gunicorn.util.write_error, which writes HTML that clients cannot parse. A setting was
    requested in benoitc/gunicorn#993; there is none. A custom worker class would have to copy
    handle_error, which chooses the status and writes at once.
    Checked on gunicorn 27.0.0 to 27.0.1.

    message: what gunicorn found wrong; empty for an internal error.
    """
    hint = "Let an HTTP client library write the request; send long options in the body."
    error = of_status(status, message or "The predictor failed on this request.", hint)
    document = problem(error) | {"request_id": uuid.uuid4().hex}
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {document['status']} {HTTPStatus(document['status']).phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    util.write_nonblock(client, head.encode() + body)


LINGER_SECONDS = 0.5
"""How long to go on reading, so that no reset cuts off the answer."""
CLOSING_THREADS = 32
CLOSING_CONNECTIONS = 64
"""Most connections that linger; further ones are closed at once, or they would use up the files."""
_closing = BoundedSemaphore(CLOSING_CONNECTIONS)


def close_soon(client: socket.socket) -> None:
    """Close a connection in a thread, off the main loop.

    Replaces gunicorn.util.close_graceful (benoitc/gunicorn#3590), which waits up to 2 s for the
    client to close, too. The threaded worker calls it on its main loop, so each client that left
    its side open blocked all others (five in a row: 8 s). Neither the time nor the thread is a
    setting.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """
    if _closing.acquire(blocking=False):
        _threads().submit(_linger, client)
    else:
        util.close(client)


def _linger(client: socket.socket) -> None:
    try:
        close_graceful(client, LINGER_SECONDS)
    finally:
        _closing.release()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CLOSING_THREADS, thread_name_prefix="closing")


_write = Response.write


class _Buffer:
    """Replaces the socket while an answer is put together."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data


def write_whole(response: Any, body: bytes) -> None:
    """Send the head and the body, or the first piece of it, in one call.

    Replaces gunicorn.http.wsgi.Response.write, which sends the head separately: a process that was
    killed in between left half an answer, which no gateway can repair. TCP_CORK does not help,
    because the kernel sends the held-back data when the process dies.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """
    connection, response.sock = response.sock, _Buffer()
    try:
        _write(response, body)
        together = response.sock.sent
    finally:
        response.sock = connection
    connection.sendall(together)


DRAIN_BYTES = 41_000_000
"""Most of a body that is read and dropped: as much as a request may have by default."""
DRAIN_SECONDS = 10.0
DRAIN_PIECE = 1_048_576  # as gunicorn reads it: of smaller ones it copies the rest each time
_default_headers = Response.default_headers


def announce_close(response: Any) -> list[str]:
    """Read what is left of the body before a head is written; announce a close if that fails.

    Replaces gunicorn.http.wsgi.Response.default_headers. gunicorn drops up to 64 KiB after it has
    promised to keep the connection, and beyond that closes it: the client's next request is lost,
    and so is an answer that a client only reads once its body is sent.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """
    if not _drained(response.req):
        response.force_close()
    headers: list[str] = _default_headers(response)
    return headers


def _drained(request: Any) -> bool:
    body = request.body
    left = getattr(body.reader, "length", None)  # of a body in chunks it is not known
    if left == 0:
        return True
    if body.failed or (left or 0) > DRAIN_BYTES:
        return False
    connection, deadline = request.unreader.sock, time.monotonic() + DRAIN_SECONDS
    before = connection.gettimeout()
    size = 0
    try:
        while size < DRAIN_BYTES and (rest := deadline - time.monotonic()) > 0:
            connection.settimeout(rest)
            if not (piece := body.read(DRAIN_PIECE)):
                return True
            size += len(piece)
    except (OSError, ParseException):
        pass
    finally:
        connection.settimeout(before)
    return False


def replace_internals() -> None:
    """Install all replacements in this process."""
    util.write_error = write_problem
    util.close_graceful = close_soon
    Response.write = write_whole
    Response.default_headers = announce_close
