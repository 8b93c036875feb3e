"""A web server for tests on 127.0.0.x: paths answered by functions, requests kept."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

Page = Callable[[BaseHTTPRequestHandler], None]

HEAD = b"HTTP/1.1 200 OK\r\n"


class Site:
    """Where the server is, and what it was asked for."""

    def __init__(self, scheme: str, host: str, port: int, pages: dict[str, Page]) -> None:
        self.url = f"{scheme}://{host}:{port}"
        self.port = port
        self.pages = pages
        self.hits: list[str] = []
        self.headers: list[Message] = []


def answer(
    handler: BaseHTTPRequestHandler,
    body: bytes = b"",
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def redirect(location: str) -> Page:
    """Make a page that sends its reader elsewhere."""
    return lambda handler: answer(handler, status=302, headers={"Location": location})


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    handler.wfile.write(HEAD + b"Content-Length: 3000\r\n\r\n")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.1)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """Send a header now and then, and nothing else."""
    handler.wfile.write(HEAD)
    while True:
        handler.wfile.write(b"X: x\r\n")
        time.sleep(0.5)


def not_found(handler: BaseHTTPRequestHandler) -> None:
    """Say that there is no such page."""
    handler.send_error(404)


@contextmanager
def serve(
    pages: dict[str, Page],
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Site]:
    """Run a server; what has no page is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.hits.append(self.path)
            site.headers.append(self.headers)
            with suppress(ConnectionError):  # whoever asked has gone
                pages.get(self.path, not_found)(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site = Site("http" if tls is None else "https", host, server.server_port, pages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


class Resolver:
    """Stands in for socket.getaddrinfo, with names of its own; keeps what it was asked.

    A name in `later` has these addresses from the second look-up on.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = dict(names)
        self.later: dict[str, list[str]] = {}
        self.lookups: list[str] = []
        self._real = socket.getaddrinfo

    def __enter__(self) -> "Resolver":
        socket.getaddrinfo = self.look_up  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        socket.getaddrinfo = self._real

    def look_up(self, host: str, *rest: Any, **more: Any) -> Any:
        if host not in self.names:
            return self._real(host, *rest, **more)
        self.lookups.append(host)
        addresses = self.names[host]
        self.names[host] = self.later.get(host, addresses)
        return [found for ip in addresses for found in self._real(ip, *rest, **more)]
