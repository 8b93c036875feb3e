"""Collects the facts of a request while it is answered, for metrics and the access log."""

import time
from dataclasses import dataclass, field

PARSE, PREPARE, MODEL, DECODE = "parse", "prepare", "model", "decode"
"""A request's parts: parse it, preprocess its images, run the model, decode texts."""


@dataclass(slots=True)
class RequestStats:
    """One request, from its arrival on."""

    request_id: str = ""
    arrived: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds spent on each part so far."""
    model: str | None = None
    version: int | None = None
    images: int = 0
    """Images that have a prediction."""
    unseen_sizes: int = 0
    """Images of sizes that the model did not see in training."""
    key: str | None = None
    """Name of the API key that was used."""
    error: str | None = None
    """Code of the error that was answered."""
    _last: float = field(default_factory=time.perf_counter)

    def done(self, part: str) -> None:
        """Add the time since the last call, or since the arrival, to a part."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def server_timing(self) -> str:
        """Return the header Server-Timing: the parts and the total in milliseconds."""
        parts = [f"{part};dur={seconds * 1000:.3f}" for part, seconds in self.seconds.items()]
        return ", ".join([*parts, f"total;dur={self.whole() * 1000:.3f}"])

    def whole(self) -> float:
        """Return the seconds since the arrival."""
        return time.perf_counter() - self.arrived
