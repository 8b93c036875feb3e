"""What stands in for internals of gunicorn that no setting and no hook reaches.

tests/integration/predictor/test_gunicorn_internals.py fails when gunicorn changes what is
replaced here, overridden in arbiter.py, or relied on by either.
"""

import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http.wsgi import Response
from gunicorn.util import close_graceful

from shared.api.problems import problem
from shared.errors import of_status


def write_problem(client: socket.socket, status: int, _reason: str, message: str) -> None:
    """Answer a request that never reaches the app, and announce the connection's end.

    Stands in for gunicorn.util.write_error, which writes a page of HTML: clients parse problem
    documents. A setting was asked for in benoitc/gunicorn#993; there is none. An own worker
    class would have to copy handle_error, which picks the status and writes in one go.
    Checked on gunicorn 27.0.0 to 27.0.1.

    message: what gunicorn found wrong; empty for an error of its own.
    """
    hint = "Let a client write the request; send long options in the body."
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
"""How long to read on, so that an answer is not cut off by a reset."""
AT_A_TIME = 32


def close_soon(client: socket.socket) -> None:
    """End a connection beside the main loop.

    Stands in for gunicorn.util.close_graceful (benoitc/gunicorn#3590), which waits up to 2 s for
    the client to end it, too. The threaded worker calls it on its main loop, so that each client
    that left its side open held up all others (five in a row: 8 s). Neither the time nor the
    place is a setting.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """
    _threads().submit(close_graceful, client, LINGER_SECONDS)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="closing")


_write = Response.write


class _Pieces:
    """Stands in for the socket while an answer is put together."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data


def write_whole(response: Any, body: bytes) -> None:
    """Send the head and the body, or the first piece of it, at once.

    Stands in for gunicorn.http.wsgi.Response.write, which sends the head by itself: a process
    that was killed in between left half an answer, which no gateway can mend. TCP_CORK does not
    help, since the kernel sends what it holds back when the process dies.
    Checked on gunicorn 27.0.0 to 27.0.1.
    """
    connection, response.sock = response.sock, _Pieces()
    try:
        _write(response, body)
        together = response.sock.sent
    finally:
        response.sock = connection
    connection.sendall(together)


def replace_internals() -> None:
    """Put all of this in gunicorn's place, in this process."""
    util.write_error = write_problem
    util.close_graceful = close_soon
    Response.write = write_whole
