"""What the predictor counts, over all its worker processes (Prometheus)."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder where the workers put their counts together."""

_REQUESTS = Counter(
    "readsmith_predictor_requests", "Answered requests.", ["method", "route", "status"]
)
_SECONDS = Histogram(
    "readsmith_predictor_request_seconds",
    "Seconds from a request's arrival in a worker to its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_IMAGES = Counter("readsmith_predictor_images", "Pictures read.", ["model"])
_RELOADS = Counter(
    "readsmith_predictor_reloads", "Versions loaded, summed over workers.", ["model"]
)
_REFUSALS = Counter(
    "readsmith_predictor_refused_reloads", "Versions refused, summed over workers.", ["model"]
)
_VERSION = Gauge(
    "readsmith_predictor_model_version",
    "Version that a worker serves.",
    ["model"],
    multiprocess_mode="liveall",
)


def request_answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer; route is a rule of the app, not what the client wrote."""
    _REQUESTS.labels(method, route, str(status)).inc()
    _SECONDS.labels(route).observe(seconds)


def images_read(model: str, count: int) -> None:
    """Count pictures that got a reading."""
    _IMAGES.labels(model).inc(count)


def version_loaded(model: str, version: int) -> None:
    """Count a reload and remember the version."""
    _RELOADS.labels(model).inc()
    _VERSION.labels(model).set(version)


def version_refused(model: str) -> None:
    """Count a version that was not taken."""
    _REFUSALS.labels(model).inc()


def exposition() -> tuple[bytes, str]:
    """Return the page that Prometheus reads and its content type, right across workers."""
    registry: CollectorRegistry = REGISTRY
    if MULTIPROCESS_FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
