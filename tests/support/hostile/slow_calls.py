"""Requests to the trainer that keep it busy for long, sent by clients that do not wait."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def request(method: str, path: str, body: Any = None, accept: str = "*/*") -> bytes:
    """Return the bytes of a request; body is sent as JSON."""
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n"
    if data:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return f"{head}\r\n".encode() + data


@contextmanager
def waiting(port: int, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Send a request on so many connections, which are closed at the end of the block."""
    clients = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(count)]
    try:
        for client in clients:
            client.sendall(sent)
        yield clients
    finally:
        for client in clients:
            client.close()


def statuses(clients: list[socket.socket], seconds: float) -> list[int]:
    """Return the statuses of those that are answered within some seconds."""
    found = []
    end = time.monotonic() + seconds
    for client in clients:
        client.settimeout(max(end - time.monotonic(), 0.01))
        try:
            found.append(int(client.recv(65536)[9:12]))
        except (TimeoutError, ValueError):
            continue
    return found
