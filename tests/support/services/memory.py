"""What a running process takes of memory, and large requests that are meant to raise it."""

import base64
import http.client
import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.services.services import Service

MOST_WORKER_BYTES = 256_000_000
"""What docs/reliability.md promises of a worker, at any moment."""
PATIENCE = 5.0
"""Seconds within which an innocent client is answered."""
SAMPLE_SECONDS = 0.02
PAGE = 4096

Body = tuple[bytes, dict[str, str]]
"""The body of a request, and its headers."""


def worker_of(service: Service) -> int:
    """Return the process id of the predictor's only worker."""
    pid = service.process.pid
    [worker] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(worker)


def resident(pid: int) -> int:
    """Return a process's resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


class Watch(threading.Thread):
    """Samples a worker's memory, and asks for /healthz as an innocent client does."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._pid = worker_of(service)
        self._done = threading.Event()
        self.most_bytes = 0
        self.slowest_seconds = 0.0

    def run(self) -> None:
        asking = threading.Thread(target=self._ask)
        asking.start()
        while not self._done.wait(SAMPLE_SECONDS):
            self.most_bytes = max(self.most_bytes, resident(self._pid))
        asking.join()

    def _ask(self) -> None:
        while not self._done.wait(0.2):
            began = time.monotonic()
            assert exchange(self._service.port, "GET", "/healthz", (b"", {}))[0] == 200
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)

    def stop(self) -> None:
        self._done.set()
        self.join()


@contextmanager
def watched(service: Service) -> Iterator[Watch]:
    """Watch a predictor of one worker; afterwards the worker is the same."""
    watch = Watch(service)
    worker = worker_of(service)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
    assert worker_of(service) == worker


def exchange(port: int, method: str, path: str, body: Body) -> tuple[int, http.client.HTTPMessage]:
    """Send one request on a connection of its own; returns the status and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, *body)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def predictions(port: int, body: Body, clients: int) -> list[tuple[int, http.client.HTTPMessage]]:
    """Send a request for predictions from several clients at once."""
    with ThreadPoolExecutor(clients) as pool:
        sent = [pool.submit(exchange, port, "POST", "/predict", body) for _ in range(clients)]
        return [each.result() for each in sent]


def blank(size: tuple[int, int], mode: str = "RGB") -> bytes:
    """A PNG of one colour: small to send."""
    file = io.BytesIO()
    Image.new(mode, size, "white").save(file, "PNG")
    return file.getvalue()


def noise(size: int) -> bytes:
    """A PNG of about this many bytes."""
    side = int((size / 3) ** 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    return file.getvalue()


def as_json(images: Sequence[bytes], **options: object) -> Body:
    encoded = [base64.b64encode(image).decode() for image in images]
    body = json.dumps({"images": encoded} | options).encode()
    return body, {"Content-Type": "application/json"}


def as_form(images: Sequence[bytes]) -> Body:
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    parts = b"".join(head + image + b"\r\n" for image in images)
    return parts + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
