"""gunicorn's threaded worker and its log, without what they do for every request for nobody."""

import time
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

NOTIFY_SECONDS = 1.0


class QuietWorker(ThreadWorker):  # type: ignore[misc]
    """Tells the arbiter once a second that it is alive, not twice a request."""

    _next = 0.0

    def notify(self) -> None:
        """Touch the worker's file, which the arbiter looks at, if that is due."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + NOTIFY_SECONDS
            super().notify()


class ServerLog(Logger):  # type: ignore[misc]
    """The log of the server; predictor.telemetry.access_log writes the lines of requests."""

    def access(self, *_: Any) -> None:
        """Write nothing: gunicorn would put a line together that has no place to go."""
