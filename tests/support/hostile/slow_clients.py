"""Clients that connect and then take their time."""

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

HEAD = b"POST /%s HTTP/1.1\r\nHost: localhost\r\n"
PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
FORM = HEAD + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000\r\n\r\n"
KINDS: dict[str, tuple[bytes, bytes]] = {
    "silent": (b"", b""),
    "stalled head": (HEAD + b"X-Slow: a", b""),
    "trickling head": (HEAD + b"X-Slow: ", b"a"),
    "stalled body": (FORM + b"--b", b""),
    "trickling body": (FORM + b"--b\r\n", b"a"),
    "not reading": (PAGE * 4, b""),
}
"""By name: what is sent at first, and again every PAUSE seconds."""
PAUSE = 1.0
BETWEEN = 0.5
"""Seconds between two requests of another client: what happens later must not stop it either."""


@contextmanager
def slow_clients(port: int, kind: str, count: int, path: str) -> Iterator[list[socket.socket]]:
    """Hold so many connections of a kind open; what they post goes to this path."""
    begin, again = KINDS[kind]
    done = threading.Event()
    with ExitStack() as connections:
        clients = [connections.enter_context(_connect(port)) for _ in range(count)]

        def trickle() -> None:
            data = begin % path.encode() if b"%s" in begin else begin
            while True:
                for client in clients:
                    with contextlib.suppress(OSError):  # closed, or the buffers are full
                        client.send(data)
                data = again
                if done.wait(PAUSE) or not again:
                    return

        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            yield clients
        finally:
            done.set()
            trickling.join()


def _connect(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # soon full
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


def is_closed(client: socket.socket) -> bool:
    """Say whether the server has ended the connection; reads what it has sent."""
    try:
        while client.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def seconds_of(ask: Callable[[], object], times: int) -> list[float]:
    """Ask again and again, with pauses; return how long each took, shortest first."""
    taken = []
    for _ in range(times):
        began = time.monotonic()
        ask()
        taken.append(time.monotonic() - began)
        time.sleep(BETWEEN)
    return sorted(taken)


def told(seconds: list[float]) -> str:
    """Say what a list of seconds looks like."""
    return f"p50 {1000 * statistics.median(seconds):.0f} ms, longest {1000 * seconds[-1]:.0f} ms"
