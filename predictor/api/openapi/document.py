"""The OpenAPI 3.1 description of the predictor, made from what the code itself works with."""

from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from predictor.api.feedback import JsonFeedback
from predictor.api.openapi.requests import IMAGE, REFERENCE, parameters, request_body
from predictor.api.status import ROUTES, SERVICE
from predictor.requests.images import JsonBody
from shared import __version__
from shared.access.openapi import SECURITY_SCHEMES, security
from shared.access.tokens import Scope
from shared.api.health import About, Health, PredictorReadiness, ServedModels
from shared.api.predictions import (
    CombinedPrediction,
    FeedbackReceipt,
    Prediction,
    Predictions,
    ReviewQueue,
)
from shared.api.problems import MEDIA_TYPE, Problem
from shared.errors import CODES, ForbiddenError, LimitsError, UnauthenticatedError

Json = dict[str, Any]

OF_ANY_ROUTE: Final = {
    *("internal_error", "bad_request", "uri_too_long", "expectation_failed"),
    *("headers_too_large", "transfer_coding_unknown"),
}
"""Codes of requests that no route has seen, or that broke it."""
OF_KEYS: Final = {*UnauthenticatedError.codes, *ForbiddenError.codes, "rate_limited"}
OF_IMAGES_SENT: Final = {
    *("base64_invalid", "form_invalid", "gzip_invalid", "json_invalid", "request_invalid"),
    "text_too_long",
    *("body_too_large", "request_timeout", "too_many_parts", "unsupported_media_type"),
    *("empty_image", "not_an_image", "image_too_large", "unsupported_format"),
    "memory_busy",
}
OF_ARCHIVED_IMAGES: Final = {"image_not_found", "archive_disabled", "storage_unavailable"}
OF_ROUTES: Final = {
    "POST /predict": {
        *OF_IMAGES_SENT,
        *LimitsError.codes,
        *("too_many_images", "model_not_named", "model_not_found", "version_not_found"),
        *("no_version_served", "bundle_invalid", "storage_unavailable"),
        *("no_line", "predictor_busy"),
    },
    "POST /feedback": {
        *OF_IMAGES_SENT,
        *OF_ARCHIVED_IMAGES,
        *("model_not_named", "model_not_found", "correction_refused", "feedback_disabled"),
        *("outbox_full", "trainer_unavailable"),
    },
    "GET /review": {
        *("request_invalid", "text_too_long", "archive_disabled", "storage_unavailable"),
    },
    "GET /review/{image_id}": {*OF_ARCHIVED_IMAGES, "memory_busy"},
    "DELETE /review/{image_id}": OF_ARCHIVED_IMAGES,
}
ALWAYS_OPEN: Final = "GET /healthz"

HEADERS: Final = {
    "X-Request-ID": ("string", "The request's id."),
    "Server-Timing": ("string", "Milliseconds that the answer and its parts took."),
    "WWW-Authenticate": ("string", "That a key is asked for."),
    "Retry-After": ("integer", "Seconds after which to ask again."),
}
OF_PROBLEMS: Final = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
"""Headers that problems of a status have, besides those of every answer."""

ANSWERS: Final[dict[str, dict[int, Json]]] = {
    "GET /": {200: {"application/json": About, "text/html": str}},
    "POST /predict": {200: {"application/json": (Prediction, Predictions, CombinedPrediction)}},
    "POST /feedback": {202: {"application/json": FeedbackReceipt}},
    "GET /review": {200: {"application/json": ReviewQueue}},
    "GET /review/{image_id}": {200: {"image/png": bytes}},
    "DELETE /review/{image_id}": {204: {}},
    "GET /models": {200: {"application/json": ServedModels}},
    "GET /healthz": {200: {"application/json": Health}},
    "GET /readyz": {
        200: {"application/json": PredictorReadiness},
        503: {"application/json": PredictorReadiness},
    },
    "GET /metrics": {200: {"text/plain": str}},
    "GET /openapi.json": {200: {"application/json": dict}},
    "GET /docs": {200: {"text/html": str}},
}
"""What each route answers by status and content type, apart from problems."""

OPERATIONS: Final = {
    "GET /": "about",
    "POST /predict": "predict",
    "POST /feedback": "give_feedback",
    "GET /review": "list_archived_images",
    "GET /review/{image_id}": "show_archived_image",
    "DELETE /review/{image_id}": "delete_archived_image",
    "GET /models": "list_served_models",
    "GET /healthz": "healthz",
    "GET /readyz": "readyz",
    "GET /metrics": "metrics",
    "GET /openapi.json": "read_openapi",
    "GET /docs": "show_docs",
}
"""The operation id of each route, of which generators make the name of a method."""


@cache
def description() -> Json:
    """Return the document that GET /openapi.json answers with."""
    paths: dict[str, Json] = {}
    for route in ANSWERS:
        method, path = route.split()
        paths.setdefault(path, {})[method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Readsmith predictor",
            "summary": SERVICE,
            "description": "Errors are problem documents (RFC 9457) with a code and a hint.",
            "version": __version__,
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": SECURITY_SCHEMES,
            "headers": {
                name: {"description": about, "schema": {"type": kind}}
                for name, (kind, about) in HEADERS.items()
            },
        },
    }


def _operation(route: str) -> Json:
    operation: Json = {
        "operationId": OPERATIONS[route],
        "summary": ROUTES.get(route, "What this is."),
        "parameters": parameters(route),
        "responses": _responses(route, _codes(route)),
    }
    if route != ALWAYS_OPEN:
        operation["security"] = security(Scope.PREDICT)
    body = request_body(route)
    return operation | ({"requestBody": body} if body else {})


def _codes(route: str) -> set[str]:
    keys = set() if route == ALWAYS_OPEN else OF_KEYS
    return OF_ANY_ROUTE | keys | OF_ROUTES.get(route, set())


def _responses(route: str, codes: set[str]) -> Json:
    """Describe each status: the answers of the route, and the problems by their codes."""
    responses = {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {kind: {"schema": _schema(what)} for kind, what in content.items()},
        }
        for status, content in ANSWERS[route].items()
    }
    for status in {CODES[code].http_status for code in codes}:
        named = ", ".join(
            code for code in CODES if code in codes and CODES[code].http_status == status
        )
        responses[status] = {
            "description": f"{HTTPStatus(status).phrase}: {named}",
            "content": {MEDIA_TYPE: {"schema": _schema(Problem)}},
        }
    return {str(status): _with_headers(status, responses[status]) for status in sorted(responses)}


def _with_headers(status: int, response: Json) -> Json:
    names = ["X-Request-ID", "Server-Timing"]
    if MEDIA_TYPE in response["content"]:
        names.extend(OF_PROBLEMS.get(status, ()))
    return {
        **response,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }


def _schema(what: Any) -> Json:
    if isinstance(what, tuple):
        return {"anyOf": [_schema(each) for each in what]}
    if issubclass(what, BaseModel):
        return {"$ref": REFERENCE.format(model=what.__name__)}
    return {str: {"type": "string"}, bytes: IMAGE}.get(what, {"type": "object"})


def _schemas() -> dict[str, Json]:
    described = (
        *(About, Health, FeedbackReceipt, JsonBody, JsonFeedback, ReviewQueue, ServedModels),
        *(Problem, PredictorReadiness, Prediction, Predictions, CombinedPrediction),
    )
    _, definitions = models_json_schema(
        [(each, "validation") for each in described], ref_template=REFERENCE
    )
    schemas: dict[str, Json] = definitions["$defs"]
    return schemas
