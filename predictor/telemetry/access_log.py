"""One line per request, as JSON on stderr, written behind the requests' backs."""

import atexit
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from predictor.telemetry.json_logs import as_line
from predictor.telemetry.request_stats import RequestStats

PAUSE_SECONDS = 0.1
"""Between two looks for new lines; a request must not wait for a pipe, nor wake a thread."""

MOST_WAITING = 10_000
"""Requests that wait while nobody takes the lines; then the oldest are lost."""


class AccessLog:
    """Takes what is known of each request and writes it soon, from a thread of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._writing = threading.Lock()

    def start(self) -> None:
        """Begin to write; call it after the fork. What waits at the process's end is written."""
        threading.Thread(target=self._run, name="access log", daemon=True).start()
        atexit.register(self.flush)

    def add(self, method: str, route: str, status: int, stats: RequestStats) -> None:
        """Take an answered request."""
        self._waiting.append(
            {
                "created": time.time(),
                "method": method,
                "route": route,
                "status": status,
                "ms": stats.whole() * 1000,
                "stats": stats,
            }
        )

    def flush(self) -> None:
        """Write what waits, as much at a time as a pipe takes without mixing it with others'."""
        with self._writing, suppress(OSError):  # nobody reads stderr any more
            chunk = b""
            for line in self._lines():
                if len(chunk) + len(line) > select.PIPE_BUF:
                    os.write(self._descriptor, chunk)
                    chunk = b""
                chunk += line
            if chunk:
                os.write(self._descriptor, chunk)

    def _run(self) -> None:
        while True:
            time.sleep(PAUSE_SECONDS)
            self.flush()

    def _lines(self) -> Iterator[bytes]:
        while self._waiting:
            yield _line(**self._waiting.popleft()).encode()


def _line(
    created: float, method: str, route: str, status: int, ms: float, stats: RequestStats
) -> str:
    facts = {
        "request_id": stats.request_id,
        "method": method,
        "route": route,
        "status": status,
        "ms": round(ms, 3),
        "model": stats.model,
        "version": stats.version,
        "images": stats.images,
        "key": stats.key,
        "error": stats.error,
    }
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return (
        as_line(created, "info", "readsmith.access", f"{method} {route} {status}", **known) + "\n"
    )
