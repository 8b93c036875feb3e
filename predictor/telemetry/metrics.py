"""The predictor's Prometheus metrics, summed over its worker processes."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from predictor.telemetry import drift
from predictor.telemetry.request_stats import RequestStats

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder where the workers combine their counts."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
CONFIDENCES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1)


def _counter(name: str, about: str, labels: Sequence[str]) -> Callable[..., Counter]:
    # Looking up a labelled child takes longer than counting with it, so each is cached.
    return cache(Counter(name, about, labels).labels)


def _histogram(
    name: str, about: str, labels: Sequence[str], buckets: Sequence[float]
) -> Callable[..., Histogram]:
    return cache(Histogram(name, about, labels, buckets=buckets).labels)


_requests = _counter(
    "readsmith_predictor_requests", "Answered requests.", ["method", "route", "status"]
)
_seconds = _histogram(
    "readsmith_predictor_request_seconds",
    "Seconds from a request's arrival in a worker to its answer.",
    ["route"],
    buckets=SECONDS,
)
_part_seconds = _histogram(
    "readsmith_predictor_part_seconds",
    "Seconds that a request spent on one of its parts.",
    ["part"],
    buckets=SECONDS,
)
_errors = _counter(
    "readsmith_predictor_errors",
    "Problems answered, for whole requests and for images among several.",
    ["code"],
)
_predictions = _counter("readsmith_predictions", "Images that got an answer.", ["model", "version"])
_low_confidence = _counter(
    "readsmith_low_confidence",
    "Predictions with a confidence below the model's threshold.",
    ["model", "version"],
)
_unseen_size = _counter(
    "readsmith_unseen_size",
    "Predictions from images of sizes that were not seen in training.",
    ["model", "version"],
)
_confidence = _histogram(
    "readsmith_confidence", "Confidences of predictions.", ["model"], buckets=CONFIDENCES
)
_reloads = _counter(
    "readsmith_predictor_reloads", "Versions loaded, summed over workers.", ["model"]
)
_rejections = _counter(
    "readsmith_predictor_rejected_reloads",
    "Versions rejected, summed over workers.",
    ["model", "reason"],
)
_VERSION = Gauge(
    "readsmith_predictor_model_version",
    "Version that a worker serves.",
    ["model"],
    # One series per live worker: each reloads by itself, and one that is stuck must show.
    multiprocess_mode="liveall",
)

_STORAGE = Gauge(
    "readsmith_predictor_storage_reachable",
    "1 if every worker reaches the object storage of the models, 0 if one does not.",
    ["store"],
    multiprocess_mode="livemin",
)


def request_answered(method: str, route: str, status: int, stats: RequestStats) -> None:
    """Count one answer; route: a rule of the app.

    Never the path that the client sent: each new label value would be a new series.
    """
    _requests(method, route, status).inc()
    _seconds(route).observe(stats.whole())
    for part, seconds in stats.seconds.items():
        _part_seconds(part).observe(seconds)


def problem_answered(code: str) -> None:
    """Count an error answer by its code."""
    _errors(code).inc()


def predictions_made(
    model: str, version: int, confidences: Sequence[float], *, low_confidence: int, unseen_size: int
) -> None:
    """Count the predictions of one request.

    low_confidence: how many are below the model's threshold; unseen_size: how many have an image
    of a size that it did not see in training.
    """
    predictions = len(confidences)
    numbers = (
        (_predictions, predictions),
        (_low_confidence, low_confidence),
        (_unseen_size, unseen_size),
    )
    for counter, number in numbers:
        child = counter(model, version)  # creates the series, also for 0: a rate needs its start
        if number:
            child.inc(number)
    for confidence in confidences:
        _confidence(model).observe(confidence)
    drift.count(model, predictions, low_confidence, unseen_size, hour=drift.this_hour())


def version_loaded(model: str, version: int) -> None:
    """Count a reload and set the version that this worker serves."""
    _reloads(model).inc()
    _VERSION.labels(model).set(version)


def storage_seen(store: str, *, reachable: bool) -> None:
    """Record whether the object storage of the models answered."""
    _STORAGE.labels(store).set(reachable)


def version_rejected(model: str, reason: str) -> None:
    """Count a version that was rejected; reason: the invalid part of its bundle, or "other"."""
    _rejections(model, reason).inc()


def exposition() -> tuple[bytes, str]:
    """Return the page of metrics for Prometheus, summed over the workers, and its content type."""
    return generate_latest(_Page()), CONTENT_TYPE_LATEST


class _Page:
    """All metrics, with the drift shares in place of the counts that they are computed from."""

    def collect(self) -> Iterable[Metric]:
        several = MULTIPROCESS_FOLDER in os.environ
        collector = MultiProcessCollector(None) if several else REGISTRY  # type: ignore[no-untyped-call]
        for metric in collector.collect():
            if metric.name == drift.COUNTS:
                yield from drift.shares(metric, hour=drift.this_hour())
            else:
                yield metric
