"""The predictor's HTTP interface."""

import logging
import re
import time
import uuid
from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from predictor import metrics
from predictor.answers import describe
from predictor.docs import add_docs
from predictor.engine import Engine
from predictor.options import Options
from predictor.problems import RequestError, problem
from predictor.registry import Registry
from predictor.settings import PredictorSettings
from predictor.status import ROUTES, add_status
from predictor.uploads import InMemoryRequest, Question, parse
from shared.builtin import STARTER
from shared.decoding import Reading
from shared.errors import ReadsmithError
from shared.preprocessing import ImageRejectedError

log = logging.getLogger("readsmith.predictor")

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_TEXT_FIELDS_BYTES = 65_536
RETRY_AFTER_SECONDS = 5
OTHER_ROUTE = "other"
UNTRAINED = (
    "Read by the starter that comes with Readsmith: no model of your own is there yet. "
    "Train one with POST /jobs or `readsmith train DATASET`."
)


def create_app(settings: PredictorSettings, registry: Registry) -> Flask:
    """Build the app that answers with the registry's models; the caller starts the registry."""
    app = Flask("predictor", static_folder=None)
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_TEXT_FIELDS_BYTES
    app.config["MAX_FORM_PARTS"] = settings.max_images + 8
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _add_request_ids_and_counts(app)
    _add_error_answers(app, settings)
    _add_reading(app, settings, registry)
    add_status(app, registry)
    add_docs(app)
    return app


def _add_reading(app: Flask, settings: PredictorSettings, registry: Registry) -> None:
    @app.post("/predict")
    def predict() -> dict[str, Any]:
        question = parse(request, settings)
        model = registry.answering(question.model)
        engine = registry.engine(model, question.options.version)
        if engine is None:
            raise _no_such_model(model, settings, registry)
        origin = {
            "model": engine.manifest.model,
            "version": engine.manifest.version,
            "request_id": g.request_id,
        }
        if model == STARTER and question.model is None:
            origin["note"] = UNTRAINED
        options = question.options.with_default_pattern(registry.pattern(model))
        answers = _read(engine, question, options)
        metrics.images_read(model, sum("text" in answer for answer in answers))
        if question.several:
            return {"results": answers, **origin}
        return {**answers[0], **origin}


def _read(engine: Engine, question: Question, options: Options) -> list[dict[str, Any]]:
    """Read every picture; among several, a bad one does not spoil the others' readings."""
    images = [upload.data for upload in question.uploads]
    results: Iterable[Reading | ImageRejectedError | None] = (
        engine.search_each(images, options.limits, options.top_k or 1)
        if options.search
        else engine.read_each(images)
    )
    answers: list[dict[str, Any]] = []
    for upload, result in zip(question.uploads, results, strict=True):
        if not isinstance(result, ImageRejectedError):
            answers.append(describe(result, options))
        elif question.several:
            answers.append({"error": problem(result, field=upload.field)})
        else:
            raise RequestError(result.code, result.message, result.hint, upload.field)
    return answers


def _no_such_model(model: str, settings: PredictorSettings, registry: Registry) -> RequestError:
    known = [name for name, state in registry.states().items() if state.served is not None]
    if known and model != settings.default_model:
        return RequestError(
            "unknown_model",
            f"There is no model {model[:64]!r}.",
            f"Known: {', '.join(known)}.",
            "model",
        )
    return RequestError(
        "no_model",
        f"No version of model {model[:64]!r} is loaded.",
        "Train one: POST /jobs to the trainer, or `readsmith train DATASET`; it is served here "
        "as soon as it is published. GET /readyz says if one was refused."
        + (f" Loaded: {', '.join(known)}." if known else ""),
    )


def _add_request_ids_and_counts(app: Flask) -> None:
    @app.before_request
    def arrive() -> None:
        g.arrived = time.perf_counter()
        asked = request.headers.get("X-Request-ID", "")
        g.request_id = asked if SANE_REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex

    @app.after_request
    def leave(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        route = request.url_rule.rule if request.url_rule else OTHER_ROUTE
        method = request.method if request.url_rule else OTHER_ROUTE
        metrics.request_answered(
            method, route, response.status_code, time.perf_counter() - g.arrived
        )
        return response


def _add_error_answers(app: Flask, settings: PredictorSettings) -> None:
    @app.errorhandler(ReadsmithError)
    def known(error: ReadsmithError) -> Response:
        return _problem_answer(error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        answer = _problem_answer(_from_http(error, settings))
        if (allowed := getattr(error, "valid_methods", None)) is not None:
            answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request %s failed", g.request_id, exc_info=error)
        return _problem_answer(
            ReadsmithError(
                "internal_error",
                "The predictor failed on this request.",
                "Its log tells more under the request_id.",
            )
        )


def _problem_answer(error: ReadsmithError) -> Response:
    document = problem(error, field=getattr(error, "field", None))
    answer = jsonify({**document, "request_id": g.request_id})
    answer.status_code = document["status"]
    answer.content_type = "application/problem+json"
    if answer.status_code == 503:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _from_http(error: HTTPException, settings: PredictorSettings) -> ReadsmithError:
    """Say in our words what Flask and Werkzeug found wrong with a request."""
    routes = f"Routes: {', '.join(ROUTES)}."
    match error.code:
        case 404:
            return ReadsmithError("not_found", f"There is nothing at {request.path[:80]}.", routes)
        case 405:
            return ReadsmithError(
                "method_not_allowed", f"{request.path} does not take {request.method}.", routes
            )
        case 413:
            return RequestError(
                "body_too_large",
                "The request's body is too large.",
                f"The limit is {settings.max_body_bytes:,} bytes, in them {settings.max_images} "
                f"pictures and {MAX_TEXT_FIELDS_BYTES:,} bytes of other fields.",
                "body",
            )
    return ReadsmithError("bad_request", error.description or "The request is not valid.", "")
