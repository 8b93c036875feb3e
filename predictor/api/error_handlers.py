"""What is answered when a request fails: problem documents, whatever went wrong."""

import logging

from flask import Flask, Response, g, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, HTTPException

from predictor.api.status import ROUTES
from predictor.requests.multipart import MAX_TEXT_FIELDS_BYTES
from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from shared.api.problems import MEDIA_TYPE, problem
from shared.errors import (
    FailedError,
    MalformedError,
    MethodNotAllowedError,
    NotFoundError,
    ReadsmithError,
    RequestTimeoutError,
    TooLargeError,
)

log = logging.getLogger("readsmith.predictor")

RETRY_AFTER_SECONDS = 5


def add_error_answers(app: Flask, settings: PredictorSettings) -> None:
    """Have every error answered with a problem document, and counted."""

    app.register_error_handler(ReadsmithError, _problem_answer)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return _problem_answer(_from_http(error, settings))

    @app.errorhandler(ParseException)
    def broken_chunks(error: ParseException) -> Response:
        return _problem_answer(
            MalformedError(
                "bad_request", f"The body is not valid: {error}.", "Send it again, whole.", "body"
            )
        )

    @app.errorhandler(ClientDisconnected)
    def cut_off(_error: ClientDisconnected) -> Response:
        return _problem_answer(
            RequestTimeoutError(
                "request_timeout", "The body did not come whole.", "Send it without pauses.", "body"
            )
        )

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request %s failed", g.stats.request_id, exc_info=error)
        return _problem_answer(
            FailedError(
                "internal_error",
                "The predictor failed on this request.",
                "Its log tells more under the request_id.",
            )
        )


def _problem_answer(error: ReadsmithError) -> Response:
    document = problem(error)
    g.stats.error = error.code
    metrics.problem_answered(error.code)
    answer = jsonify({**document, "request_id": g.stats.request_id})
    answer.status_code = document["status"]
    answer.content_type = MEDIA_TYPE
    answer.headers.update(error.headers)
    if answer.status_code == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _from_http(error: HTTPException, settings: PredictorSettings) -> ReadsmithError:
    """Say in our words what Flask and Werkzeug found wrong with a request."""
    routes = f"Routes: {', '.join(ROUTES)}."
    match error.code:
        case 404:
            return NotFoundError("not_found", f"There is nothing at {request.path[:80]}.", routes)
        case 405:
            message = f"{request.path} does not take {request.method}."
            allowed = {"Allow": ", ".join(sorted(getattr(error, "valid_methods", None) or ()))}
            return MethodNotAllowedError("method_not_allowed", message, routes, headers=allowed)
        case 413:
            return TooLargeError(
                "body_too_large",
                "The request's body is too large.",
                f"The limit is {settings.max_body_bytes:,} bytes, in them {settings.max_images} "
                f"images and {MAX_TEXT_FIELDS_BYTES:,} bytes of other fields.",
                "body",
            )
    return MalformedError(
        "bad_request",
        error.description or "The request is not valid.",
        "GET /docs shows what can be asked.",
    )
