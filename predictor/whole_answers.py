"""Sends the head and the body of an answer in one piece.

Gunicorn sends them one after the other. A process that is killed between the two leaves half an
answer, which no gateway can ask another replica for: it has handed the head on already.
"""

from typing import Any

from gunicorn.http.wsgi import Response

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
