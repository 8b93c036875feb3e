"""Drift without labels: the hourly shares of predictions with low confidence or of unseen sizes.

Each worker counts its two latest hours alternately in two slots, each labelled with its hour; the
/metrics page of any worker sums the slots of the hours that it shows. So an idle worker's old
counts do not matter, and those of a worker that died still count.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from prometheus_client import Gauge, Metric
from prometheus_client.core import GaugeMetricFamily

HOUR_SECONDS = 3600
COUNTS = "readsmith_predictor_hour_counts"
"""The internal metric of the slots, which /metrics does not show."""

HOUR, PREDICTIONS = "hour", "predictions"
SHARES = {
    "low_confidence": "Share of the predictions of an hour with low confidence.",
    "unseen_size": "Share of the predictions of an hour from images of sizes unseen in training.",
}

_count = cache(Gauge(COUNTS, "By slot.", ["model", "slot", "what"], multiprocess_mode="all").labels)
_hours: dict[tuple[str, str], int] = {}
_lock = threading.Lock()


def this_hour() -> int:
    """Return the current hour as hours since 1970, UTC."""
    return int(time.time()) // HOUR_SECONDS


def count(
    model: str, predictions: int, low_confidence: int, unseen_size: int, *, hour: int
) -> None:
    """Count predictions, and how many of them had low confidence or images of unseen sizes."""
    slot = str(hour % 2)
    with _lock:  # two threads that begin an hour must not both reset its slot
        if _hours.get((model, slot)) != hour:
            _reset(model, slot, hour)
    _count(model, slot, PREDICTIONS).inc(predictions)
    if low_confidence:
        _count(model, slot, "low_confidence").inc(low_confidence)
    if unseen_size:
        _count(model, slot, "unseen_size").inc(unseen_size)


def _reset(model: str, slot: str, hour: int) -> None:
    for what in (PREDICTIONS, *SHARES):
        _count(model, slot, what).set(0)
    _count(model, slot, HOUR).set(hour)
    _hours[model, slot] = hour


def shares(counts: Metric, *, hour: int) -> Iterable[Metric]:
    """Sum the workers' slots to the shares of the running hour and of the last full one."""
    slots: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for sample in counts.samples:
        labels = sample.labels
        slots[labels.get("pid", ""), labels["model"], labels["slot"]][labels["what"]] = sample.value
    sums: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    named = {hour: "running", hour - 1: "last"}
    for (_, model, _), values in slots.items():
        if name := named.get(int(values.get(HOUR, 0))):
            for what, value in values.items():
                sums[model, name][what] += value
    for what, about in SHARES.items():
        family = GaugeMetricFamily(f"readsmith_{what}_share", about, labels=["model", "hour"])
        for labels_, values in sums.items():
            if values[PREDICTIONS]:
                family.add_metric(labels_, values[what] / values[PREDICTIONS])
        yield family
