"""Requests that are rejected before their body is read, on a connection that is used again."""

import socket
from collections.abc import Mapping

SIZES = (100_000, 5_000_000)
"""Of the bodies: gunicorn drops 64 KiB of its own accord."""


def next_answer_on_the_same_connection(
    port: int, head: str, headers: Mapping[str, str], size: int, *, chunked: bool = False
) -> tuple[int, bool, bytes]:
    """Send a request with a body, then ask for /healthz on the same connection.

    head: method and path. Returns the first answer's status, whether it announced a close, and
    what came after it: an answer, or nothing if the connection was closed.
    """
    lines = {"Host": "localhost", **headers}
    lines |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
    request = f"{head} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    body = b"x" * size
    if chunked:
        body = f"{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request.encode() + body)
        answer = client.makefile("rb")
        status = int(answer.readline().split()[1])
        length, closes = 0, False
        while (line := answer.readline().strip().lower()) != b"":
            closes = closes or line == b"connection: close"
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        answer.read(length)
        if not closes:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return status, closes, answer.readline()
