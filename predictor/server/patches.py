"""What stands in for parts of gunicorn that have no setting: see `replace_internals`."""

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

from predictor.requests.problems import problem
from shared.errors import of_status


def write_problem(client: socket.socket, status: int, _reason: str, message: str) -> None:
    """Write an answer and announce the connection's end; stands in for gunicorn.util.write_error.

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
    """End a connection; stands in for gunicorn.util.close_graceful, which takes up to 2 s."""
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
    """Stand in for Response.write, which takes a piece of the body."""
    connection, response.sock = response.sock, _Pieces()
    try:
        _write(response, body)
        together = response.sock.sent
    finally:
        response.sock = connection
    connection.sendall(together)
