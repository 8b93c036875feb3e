"""The predictor's HTTP interface."""

import logging
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, g, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, HTTPException

from predictor import metrics
from predictor.access import add_access
from predictor.access_log import AccessLog
from predictor.answers import describe, describe_input
from predictor.bookkeeping import add_bookkeeping
from predictor.docs import add_docs
from predictor.engine import Engine
from predictor.feedback import add_feedback
from predictor.kept_picture import as_kept
from predictor.kept_pictures import KeptPictures
from predictor.multipart import MAX_TEXT_FIELDS_BYTES
from predictor.notes import PARSE, Notes
from predictor.options import Options
from predictor.outbox import Outbox
from predictor.problems import RequestError, problem
from predictor.registry import Registry
from predictor.review import add_review
from predictor.settings import PredictorSettings
from predictor.start_page import add_start_page
from predictor.status import ROUTES, add_status
from predictor.uploads import Question, parse
from shared.builtin import STARTER, UNTRAINED
from shared.decoding import Reading
from shared.errors import ReadsmithError
from shared.preprocessing import ImageRejectedError

log = logging.getLogger("readsmith.predictor")

RETRY_AFTER_SECONDS = 5


def create_app(
    settings: PredictorSettings,
    registry: Registry,
    access_log: AccessLog | None = None,
    kept: KeptPictures | None = None,
    outbox: Outbox | None = None,
) -> Flask:
    """Build the app that answers with the registry's models; the caller starts what it gives."""
    app = Flask("predictor", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    add_bookkeeping(app, access_log)
    add_access(app, settings)
    _add_error_answers(app, settings)
    _add_reading(app, settings, registry, kept)
    add_review(app, kept)
    add_feedback(app, settings, kept, outbox)
    add_status(app, registry)
    add_start_page(app)
    add_docs(app)
    return app


def _add_reading(
    app: Flask, settings: PredictorSettings, registry: Registry, kept: KeptPictures | None
) -> None:
    @app.post("/predict")
    def predict() -> dict[str, Any]:
        notes: Notes = g.notes
        question = parse(request, settings)
        notes.done(PARSE)
        model = registry.answering(question.model)
        engine = registry.engine(model, question.options.version)
        if engine is None:
            raise _no_such_model(model, settings, registry)
        notes.model, notes.version = engine.manifest.model, engine.manifest.version
        origin = {
            "model": notes.model,
            "version": notes.version,
            "request_id": notes.request_id,
        }
        if model == STARTER and question.model is None:
            origin["note"] = UNTRAINED
        options = question.options.with_default_pattern(registry.pattern(model))
        answers = _read(engine, question, options, notes)
        _count(answers, engine, notes, settings.low_confidence)
        if kept is not None:
            kept.add(as_kept(question, answers, notes, settings.default_model))
        if question.several:
            return {"results": answers, **origin}
        return {**answers[0], **origin}


def _count(
    answers: list[dict[str, Any]], engine: Engine, notes: Notes, chosen: float | None
) -> None:
    """Count the readings; chosen: the confidence below which one is unsure, if not the model's."""
    confidences = [answer["confidence"] for answer in answers if "confidence" in answer]
    threshold = engine.unsure_below if chosen is None else chosen
    notes.images = len(confidences)
    metrics.pictures_read(
        engine.manifest.model,
        engine.manifest.version,
        confidences,
        unsure=sum(confidence < threshold for confidence in confidences),
        unseen=notes.unseen_sizes,
    )


def _read(
    engine: Engine, question: Question, options: Options, notes: Notes
) -> list[dict[str, Any]]:
    """Read every picture; among several, a bad one does not spoil the others' readings."""
    images = [up.data for up in question.uploads if not isinstance(up.data, RequestError)]
    results: Iterator[Reading | ImageRejectedError | None] = (
        engine.search_each(images, options.limits, options.top_k or 1, notes)
        if options.search
        else engine.read_each(images, notes)
    )
    answers: list[dict[str, Any]] = []
    for upload in question.uploads:
        result = upload.data if isinstance(upload.data, RequestError) else next(results)
        if not isinstance(result, ImageRejectedError | RequestError):
            answers.append(describe(result, options))
            if options.show_input and isinstance(upload.data, bytes):
                answers[-1]["input"] = describe_input(engine.input_of(upload.data))
        elif question.several:
            metrics.problem_answered(result.code)
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

    @app.errorhandler(ParseException)
    def broken_chunks(error: ParseException) -> Response:
        return _problem_answer(
            RequestError(
                "bad_request", f"The body is not valid: {error}.", "Send it again, whole.", "body"
            )
        )

    @app.errorhandler(ClientDisconnected)
    def cut_off(_error: ClientDisconnected) -> Response:
        return _problem_answer(
            RequestError(
                "request_timeout", "The body did not come whole.", "Send it without pauses.", "body"
            )
        )

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request %s failed", g.notes.request_id, exc_info=error)
        return _problem_answer(
            ReadsmithError(
                "internal_error",
                "The predictor failed on this request.",
                "Its log tells more under the request_id.",
            )
        )


def _problem_answer(error: ReadsmithError) -> Response:
    document = problem(error, field=getattr(error, "field", None))
    g.notes.error = error.code
    metrics.problem_answered(error.code)
    answer = jsonify({**document, "request_id": g.notes.request_id})
    answer.status_code = document["status"]
    answer.content_type = "application/problem+json"
    answer.headers.update(getattr(error, "headers", {}))
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
    return ReadsmithError(
        "bad_request",
        error.description or "The request is not valid.",
        "GET /docs shows what can be asked.",
    )
