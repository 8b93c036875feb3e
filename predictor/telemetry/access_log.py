"""Logs one JSON line per request on stderr, from a separate thread."""

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

FLUSH_SECONDS = 0.1
"""Interval at which lines are written: no request waits for a pipe, or wakes a thread."""

MAX_BUFFERED = 10_000
"""Requests that are buffered while nothing reads stderr; then the oldest are dropped."""


class AccessLog:
    """Buffers the facts of each request; a thread writes them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer: deque[tuple[float, dict[str, Any]]] = deque(maxlen=MAX_BUFFERED)
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the writing thread, and flush at the process's exit; call it after the fork."""
        threading.Thread(target=self._run, name="access log", daemon=True).start()
        atexit.register(self.flush)

    def add(self, method: str, route: str, status: int, stats: RequestStats) -> None:
        """Buffer an answered request."""
        facts = {
            "request_id": stats.request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(stats.whole() * 1000, 3),
            "model": stats.model,
            "version": stats.version,
            "images": stats.images,
            "key": stats.key,
            "error": stats.error,
        }
        self._buffer.append((time.time(), facts))

    def flush(self) -> None:
        """Write the buffered lines, up to PIPE_BUF bytes at a time.

        Such writes are atomic, so the workers' lines on the same pipe do not mix (POSIX, write).
        """
        with self._lock, suppress(OSError):  # nothing reads stderr any more
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
            time.sleep(FLUSH_SECONDS)
            self.flush()

    def _lines(self) -> Iterator[bytes]:
        while self._buffer:
            created, facts = self._buffer.popleft()
            known = {name: fact for name, fact in facts.items() if fact is not None}
            message = "{method} {route} {status}".format_map(facts)
            line = as_line(created, "info", "readsmith.access", message, **known)
            yield f"{line}\n".encode()
