"""The OpenAPI 3.1 description of the predictor, made from what the code itself works with."""

from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from predictor.api.feedback import JsonFeedback
from predictor.api.openapi.requests import IMAGE, REFERENCE, parameters, request_body
from predictor.api.openapi.schemas import (
    About,
    Alive,
    FeedbackTaken,
    Models,
    Prediction,
    Predictions,
    ProblemAnswer,
    Readiness,
    ReviewQueue,
)
from predictor.api.status import ROUTES, SERVICE
from predictor.requests.images import JsonBody
from predictor.requests.problems import STATUS
from predictor.server import patches as refusals
from shared.access.access import ACCESS_STATUS
from shared.access.api_keys import Scope
from shared.access.openapi import SECURITY_SCHEMES, security

Json = dict[str, Any]

API_VERSION: Final = "1"
PROBLEM: Final = "application/problem+json"
OF_ROUTING: Final = {"not_found", "method_not_allowed"}
"""Codes that no route answers with: they say that there is none."""
OF_FEEDBACK: Final = {
    "bad_feedback",
    "correction_refused",
    "feedback_not_set_up",
    "outbox_full",
    "trainer_unavailable",
}
OF_ARCHIVED_IMAGES: Final = {"image_not_found", "archive_disabled", "storage_failed"}
OF_IMAGES_SENT: Final = {
    *("bad_base64", "bad_multipart", "body_too_large", "empty_image", "image_too_large"),
    *("no_image", "not_an_image", "request_timeout", "unknown_field"),
    *("too_many_parts", "unsupported_content_type", "unsupported_format"),
}
OF_ANY_ROUTE: Final = {"internal_error", *refusals.CODES.values()}
"""Codes of requests that no route has seen, or that broke it."""
ALWAYS_OPEN: Final = "GET /healthz"

OF_STATUS: Final = {
    STATUS["key_missing"]: ["WWW-Authenticate"],
    STATUS["rate_limited"]: ["Retry-After"],
    STATUS["no_model"]: ["Retry-After"],
}
"""Headers that problems of a status have, besides those of every answer."""

ANSWERS: Final[dict[str, dict[int, Json]]] = {
    "GET /": {200: {"application/json": About, "text/html": str}},
    "POST /predict": {200: {"application/json": (Prediction, Predictions)}},
    "POST /feedback": {202: {"application/json": FeedbackTaken}},
    "GET /review": {200: {"application/json": ReviewQueue}},
    "GET /review/{image_id}": {200: {"image/png": bytes}},
    "DELETE /review/{image_id}": {204: {}},
    "GET /models": {200: {"application/json": Models}},
    "GET /healthz": {200: {"application/json": Alive}},
    "GET /readyz": {200: {"application/json": Readiness}, 503: {"application/json": Readiness}},
    "GET /metrics": {200: {"text/plain": str}},
    "GET /openapi.json": {200: {"application/json": dict}},
    "GET /docs": {200: {"text/html": str}},
}
"""What each route answers by status and content type, apart from problems."""


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
            "version": API_VERSION,
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": SECURITY_SCHEMES,
            "headers": {
                "X-Request-ID": {"description": "The request's id.", "schema": {"type": "string"}},
                "Server-Timing": {
                    "description": "Milliseconds that the answer and its parts took.",
                    "schema": {"type": "string"},
                },
                "WWW-Authenticate": {
                    "description": "That a key is asked for.",
                    "schema": {"type": "string"},
                },
                "Retry-After": {
                    "description": "Seconds after which to ask again.",
                    "schema": {"type": "integer"},
                },
            },
        },
    }


def _operation(route: str) -> Json:
    operation: Json = {
        "summary": ROUTES.get(route, "What this is."),
        "parameters": parameters(route),
        "responses": _responses(route, _codes(route)),
    }
    if route != ALWAYS_OPEN:
        operation["security"] = security(Scope.PREDICT)
    body = request_body(route)
    return operation | ({"requestBody": body} if body else {})


def _codes(route: str) -> set[str]:
    codes = OF_ANY_ROUTE | (set() if route == ALWAYS_OPEN else set(ACCESS_STATUS))
    match route:
        case "POST /predict":
            return set(STATUS) - OF_ROUTING - OF_FEEDBACK - OF_ARCHIVED_IMAGES
        case "POST /feedback":
            return codes | OF_FEEDBACK | OF_ARCHIVED_IMAGES | OF_IMAGES_SENT
        case "GET /review":
            return codes | {"bad_option", "archive_disabled", "storage_failed", "unknown_field"}
        case "GET /review/{image_id}" | "DELETE /review/{image_id}":
            return codes | OF_ARCHIVED_IMAGES
    return codes


def _responses(route: str, codes: set[str]) -> Json:
    """Describe each status: the answers of the route, and the problems by their codes."""
    responses = {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {kind: {"schema": _schema(what)} for kind, what in content.items()},
        }
        for status, content in ANSWERS[route].items()
    }
    for status in {STATUS[code] for code in codes}:
        named = ", ".join(code for code in STATUS if code in codes and STATUS[code] == status)
        responses[status] = {
            "description": f"{HTTPStatus(status).phrase}: {named}",
            "content": {PROBLEM: {"schema": _schema(ProblemAnswer)}},
        }
    return {str(status): _with_headers(status, responses[status]) for status in sorted(responses)}


def _with_headers(status: int, response: Json) -> Json:
    names = ["X-Request-ID", "Server-Timing"]
    if PROBLEM in response["content"]:
        names.extend(OF_STATUS.get(status, ()))
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
        *(About, Alive, FeedbackTaken, JsonBody, JsonFeedback, ReviewQueue, Models),
        *(ProblemAnswer, Readiness, Prediction, Predictions),
    )
    _, definitions = models_json_schema(
        [(each, "validation") for each in described], ref_template=REFERENCE
    )
    schemas: dict[str, Json] = definitions["$defs"]
    return schemas
