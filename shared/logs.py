"""Keeps a repeated error from filling the log."""

import logging
import threading
import time

BURST = 10
"""Lines that one place in the code may write within a second."""


class RepeatLimit(logging.Filter):
    """Lets through BURST lines a second of each place that logs warnings or errors.

    The next line of that place tells how many were left out. Running out of files wrote 135 MB a
    minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._places: dict[tuple[str, int], tuple[float, int]] = {}
        """By file and line: when the second began, and the lines since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to write a record; adds the number of those left out to its message."""
        if record.levelno < logging.WARNING:
            return True
        place, now = (record.pathname, record.lineno), time.monotonic()
        with self._lock:
            began, count = self._places.get(place, (now, 0))
            left_out = 0
            if now - began >= 1:
                began, count, left_out = now, 0, max(0, count - BURST)
            self._places[place] = began, count + 1
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out:,} more like it)"
            record.args = None
        return count < BURST
