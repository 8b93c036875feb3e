"""Rate limit of a key: a token bucket for each, in this process's memory."""

import threading
import time


class RateLimit:
    """Admits a burst of `per_minute` requests, and as many more each minute.

    The state of a key is one number: the time at which its bucket is full again.
    """

    def __init__(self) -> None:
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def seconds_to_wait(self, key: str, per_minute: int) -> float:
        """Count a request and return 0, or reject it and return the seconds to wait."""
        now = time.monotonic()  # a wall clock that is set back would lock every key out
        with self._lock:
            full_at = max(self._full_at.get(key, now), now) + 60.0 / per_minute
            wait = full_at - now - 60.0
            if wait <= 1e-6:  # rounding: 60 / per_minute is rarely exact
                self._full_at[key] = full_at
                return 0.0
        return wait
