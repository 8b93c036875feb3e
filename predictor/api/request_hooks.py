"""What happens to every request: it gets an id, is counted, and gets a line in the log."""

import re
import uuid

from flask import Flask, Response, g, request

from predictor.telemetry import metrics
from predictor.telemetry.access_log import AccessLog
from predictor.telemetry.request_stats import RequestStats

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
OTHER_ROUTE = "other"


def add_request_hooks(app: Flask, access_log: AccessLog | None) -> None:
    """Note each request in ``g.stats`` from its arrival to its answer; without a log, no line."""

    @app.before_request
    def arrive() -> None:
        asked = request.headers.get("X-Request-ID", "")
        g.stats = RequestStats(asked if SANE_REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex)

    @app.after_request
    def leave(response: Response) -> Response:
        stats: RequestStats = g.stats
        response.headers["X-Request-ID"] = stats.request_id
        response.headers["Server-Timing"] = stats.server_timing()
        known = request.url_rule
        method, route = (request.method, known.rule) if known else (OTHER_ROUTE, OTHER_ROUTE)
        metrics.request_answered(method, route, response.status_code, stats)
        if access_log is not None:
            access_log.add(method, route, response.status_code, stats)
        return response
