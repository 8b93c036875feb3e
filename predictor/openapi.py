"""The OpenAPI 3.1 description of the predictor, made from what the code itself works with."""

from functools import cache
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from predictor import refusals
from predictor.options import Options
from predictor.problems import STATUS
from predictor.schemas import (
    About,
    Alive,
    Models,
    ProblemAnswer,
    Readiness,
    Reading,
    Readings,
)
from predictor.status import ROUTES, SERVICE
from predictor.uploads import IMAGE_FIELDS, JsonBody
from shared.access import ACCESS_STATUS
from shared.access_description import SECURITY_SCHEMES, security
from shared.api_keys import Scope

Json = dict[str, Any]

API_VERSION: Final = "1"
REFERENCE: Final = "#/components/schemas/{model}"
PROBLEM: Final = "application/problem+json"
OF_ROUTING: Final = {"not_found", "method_not_allowed"}
"""Codes that no route answers with: they say that there is none."""
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
    "GET /": {200: {"application/json": About}},
    "POST /predict": {200: {"application/json": (Reading, Readings)}},
    "GET /models": {200: {"application/json": Models}},
    "GET /healthz": {200: {"application/json": Alive}},
    "GET /readyz": {200: {"application/json": Readiness}, 503: {"application/json": Readiness}},
    "GET /metrics": {200: {"text/plain": str}},
    "GET /openapi.json": {200: {"application/json": dict}},
    "GET /docs": {200: {"text/html": str}},
}
"""What each route answers by status and content type, apart from problems."""

PICTURE: Final = {"type": "string", "format": "binary"}
REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Kept as the request's id if it is 1 to 64 letters, digits, dots, dashes or "
    "underscores; otherwise the predictor makes one.",
    "schema": {"type": "string"},
}


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
    reads = route == "POST /predict"
    operation: Json = {
        "summary": ROUTES.get(route, "What this is."),
        "parameters": [REQUEST_ID, *(_query_parameters() if reads else ())],
        "responses": _responses(route, _codes(route)),
    }
    if route != ALWAYS_OPEN:
        operation["security"] = security(Scope.PREDICT)
    return operation | ({"requestBody": _request_body()} if reads else {})


def _codes(route: str) -> set[str]:
    if route == "POST /predict":
        return set(STATUS) - OF_ROUTING
    return OF_ANY_ROUTE | (set() if route == ALWAYS_OPEN else set(ACCESS_STATUS))


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


def _query_parameters() -> list[Json]:
    return [
        {"name": name, "in": "query", "description": schema["description"], "schema": schema}
        for name, schema in _option_schemas().items()
    ]


def _request_body() -> Json:
    fields = {name: {"type": "array", "items": PICTURE, "minItems": 1} for name in IMAGE_FIELDS}
    multipart = {
        "type": "object",
        "properties": {**fields, **_option_schemas()},
        "anyOf": [{"required": [name]} for name in IMAGE_FIELDS],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "description": "One picture or several. Options are taken as query parameters or in the "
        "body; the body wins.",
        "content": {
            "multipart/form-data": {"schema": multipart},
            "application/json": {"schema": _schema(JsonBody)},
            "image/*": {"schema": PICTURE},
            "application/octet-stream": {"schema": PICTURE},
        },
    }


def _option_schemas() -> dict[str, Json]:
    """Return each option's schema, without null: sent as text, what is not wanted is left out."""
    properties = Options.model_json_schema()["properties"]
    return {
        name: {**schema["anyOf"][0], "description": schema["description"]}
        for name, schema in properties.items()
    }


def _schema(what: Any) -> Json:
    if isinstance(what, tuple):
        return {"anyOf": [_schema(each) for each in what]}
    if issubclass(what, BaseModel):
        return {"$ref": REFERENCE.format(model=what.__name__)}
    return {"type": "string" if what is str else "object"}


def _schemas() -> dict[str, Json]:
    described = (About, Alive, JsonBody, Models, ProblemAnswer, Readiness, Reading, Readings)
    _, definitions = models_json_schema(
        [(each, "validation") for each in described], ref_template=REFERENCE
    )
    schemas: dict[str, Json] = definitions["$defs"]
    return schemas
