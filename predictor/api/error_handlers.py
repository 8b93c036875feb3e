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
from shared.errors import ReadsmithError, of_status

log = logging.getLogger("readsmith.predictor")

RETRY_AFTER_SECONDS = 5


def add_error_answers(app: Flask, settings: PredictorSettings) -> None:
    """Have every error answered with a problem document, and counted."""

    app.register_error_handler(ReadsmithError, _problem_answer)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        answer = _problem_answer(_from_http(error, settings))
        if (allowed := getattr(error, "valid_methods", None)) is not None:
            answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer

    @app.errorhandler(ParseException)
    def broken_chunks(error: ParseException) -> Response:
        message = f"The body is not valid: {error}."
        return _problem_answer(of_status(400, message, "Send it again, whole.", "body"))

    @app.errorhandler(ClientDisconnected)
    def cut_off(_error: ClientDisconnected) -> Response:
        message = "The body did not come whole."
        return _problem_answer(of_status(408, message, "Send it without pauses.", "body"))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request %s failed", g.stats.request_id, exc_info=error)
        hint = "Its log tells more under the request_id."
        return _problem_answer(of_status(500, "The predictor failed on this request.", hint))


def _problem_answer(error: ReadsmithError) -> Response:
    error.without_trace()  # with it, images and engines of old versions stayed in memory
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
            return of_status(404, f"There is nothing at {request.path[:80]}.", routes)
        case 405:
            return of_status(405, f"{request.path} does not take {request.method}.", routes)
        case 413:
            limits = (
                f"The limit is {settings.max_body_bytes:,} bytes, in them {settings.max_images} "
                f"images and {MAX_TEXT_FIELDS_BYTES:,} bytes of other fields."
            )
            return of_status(413, "The request's body is too large.", limits, "body")
    message = error.description or "The request is not valid."
    return of_status(400, message, "GET /docs shows what can be asked.")
