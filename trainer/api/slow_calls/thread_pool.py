"""Watches the thread pool that most routes share: what waits for it waits unseen."""

import asyncio
import time

from anyio import to_thread

STUCK_SECONDS = 20.0
"""Longer than a route waits for a locked database."""
EVERY_SECONDS = 1.0


class ThreadPoolWatch:
    """Has the pool run a task that does nothing, again and again, and tells when it does not."""

    def __init__(self) -> None:
        self._asked_at: float | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._asked_at = time.monotonic()
            await to_thread.run_sync(_nothing)
            self._asked_at = None
            await asyncio.sleep(EVERY_SECONDS)

    def problem(self) -> str | None:
        """Say that the pool is stuck; None if it is not."""
        waited = 0 if self._asked_at is None else time.monotonic() - self._asked_at
        if waited < STUCK_SECONDS:
            return None
        return f"no thread has been free for {waited:.0f} s"


def _nothing() -> None:
    pass
