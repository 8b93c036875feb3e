"""What Prometheus may know of the trainer's API and its jobs."""

import time
from collections.abc import Iterable
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainer.database.job_store import JobStore

OTHER = "other"
"""The label of all routes and of all methods that do not exist, as in the predictor's metrics."""
METHODS = frozenset(HTTPMethod)


class JobCounts(Collector):
    """Counts the jobs when Prometheus asks."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        """Yield the number of jobs in each status."""
        gauge = GaugeMetricFamily("readsmith_jobs", "Jobs by status.", labels=["status"])
        for status, count in self._store.count_by_status().items():
            gauge.add_metric([status], count)
        yield gauge


class RequestMetrics:
    """ASGI middleware that counts and times requests by method, route and status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "readsmith_trainer_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "readsmith_trainer_request_seconds",
            "Seconds until an answer began.",
            ["method", "route"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Neither path nor method as they were sent: each new label value is a new series.
                route = getattr(scope.get("route"), "path", OTHER)
                known = route != OTHER and scope["method"] in METHODS
                method = scope["method"] if known else OTHER
                self._requests.labels(method, route, message["status"]).inc()
                self._seconds.labels(method, route).observe(time.perf_counter() - begin)
            await send(message)

        await self._app(scope, receive, counted)
