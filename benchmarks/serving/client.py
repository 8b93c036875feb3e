"""A small HTTP client over persistent connections, also with a fixed schedule (open loop)."""

import asyncio
import base64
import json
import re
import time
from contextlib import closing
from dataclasses import dataclass

from urllib3.filepost import encode_multipart_formdata

CONTENT_LENGTH = re.compile(rb"(?mi)^content-length: *(\d+)")
BROKEN = 0
"""Status of an answer that never came, because the connection broke."""


def upload(image: bytes, count: int = 1) -> tuple[bytes, str]:
    """Return a multipart body with the image in `count` fields, and its Content-Type."""
    return encode_multipart_formdata([("image", ("captcha.png", image, "image/png"))] * count)


def message(image: bytes, count: int = 1) -> bytes:
    """Return a whole request that carries the image `count` times."""
    return _post(*upload(image, count))


def json_message(image: bytes, count: int = 1) -> bytes:
    """Return the same in JSON, the image in base64."""
    images = [base64.b64encode(image).decode()] * count
    return _post(json.dumps({"images": images}).encode(), "application/json")


def _post(body: bytes, kind: str) -> bytes:
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True)
class Answer:
    """An answer and its times, by time.perf_counter, in seconds."""

    scheduled: float
    answered: float
    status: int
    body: bytes

    @property
    def seconds(self) -> float:
        """The time since the request should have been sent, waiting for a connection included."""
        return self.answered - self.scheduled


class Connection:
    """A persistent connection; opened again for the next request after it broke."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, scheduled: float | None = None) -> Answer:
        """Send a request, by default scheduled now, and wait for its answer."""
        scheduled = scheduled or time.perf_counter()
        try:
            status, body = await self._exchange(request)
        except (OSError, EOFError):
            self.close()
            status, body = BROKEN, b""
        return Answer(scheduled, time.perf_counter(), status, body)

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        """Close the connection if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask_one_by_one(port: int, request: bytes, count: int) -> list[Answer]:
    """Send `count` requests over one connection, each after the answer to the last."""
    with closing(Connection(port)) as connection:
        return [await connection.ask(request) for _ in range(count)]


async def ask_at_rate(
    port: int, *requests: bytes, rate: float, seconds: float, connections: int = 8
) -> list[Answer]:
    """Send the requests in turn at a constant rate per second, however slow the answers are.

    A request that is due takes a free connection or waits for one. Its latency counts from its
    scheduled time, so that a stall counts for every request that it delayed. The event loop's
    clock is up to 1 ms late, and that counts too.
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()  # FIFO, so that every worker gets its share
    for _ in range(connections):
        free.put_nowait(Connection(port))

    async def ask(request: bytes, scheduled: float) -> Answer:
        connection = await free.get()
        try:
            return await connection.ask(request, scheduled)
        finally:
            free.put_nowait(connection)

    begin = time.perf_counter()
    asked = []
    for index in range(round(rate * seconds)):
        scheduled = begin + index / rate
        await asyncio.sleep(max(0.0, scheduled - time.perf_counter()))
        request = requests[index % len(requests)]
        asked.append(asyncio.create_task(ask(request, scheduled)))
    answers = await asyncio.gather(*asked)
    while not free.empty():
        free.get_nowait().close()
    return answers
