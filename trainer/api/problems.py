"""Errors as HTTP answers: RFC 9457 problem documents."""

import json
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.api.problems import MEDIA_TYPE, FieldProblem, problem
from shared.errors import (
    LabelsChangedError,
    MalformedError,
    ReadsmithError,
    UnsupportedMediaError,
    UnusableError,
    of_status,
    text_too_long,
)
from shared.store.manifest import Scalar
from shared.texts import plain_fault, shown, too_long
from trainer.database.tables import unavailable
from trainer.files.disk_errors import storage_error

TOO_LONG = "string_too_long"
"""Pydantic's name of the error."""
MAX_CONTENT_TYPE = 1000
"""Characters; a boundary has at most 70 (RFC 2046, section 5.1.1)."""
Sent = TypeVar("Sent", bound=BaseModel)
RETRY_AFTER = {429: "60", 503: "5"}

log = logging.getLogger("trainer.api.problems")


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document a route's problem answers in OpenAPI."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def media_type(request: Request) -> str:
    """Return the media type of a body in lower case, without parameters; "" if none is named.

    Raises UnusableError for a header so long that parsing its parameters would take its time.
    """
    header = request.headers.get("content-type", "")
    if len(header) > MAX_CONTENT_TYPE:
        raise text_too_long("Content-Type", len(header), MAX_CONTENT_TYPE)
    return header.partition(";")[0].strip().lower()


def from_json(body: bytes) -> Any:
    """Return what a body holds; raises MalformedError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            "json_invalid", f"The body is not JSON: {error}.", "GET /docs shows what to send."
        ) from None


def checked(model: type[Sent], fields: Any) -> Sent:
    """Return the fields of a body as the model has them; raises RequestValidationError."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(errors, body=fields) from None


def unsupported_media(kind: str, hint: str) -> UnsupportedMediaError:
    """Return the error for a body of a media type that the route does not take; kind may be ""."""
    message = f"The body came as {kind or 'no media type'}."
    return UnsupportedMediaError("unsupported_media_type", message, hint)


def answer(
    error: ReadsmithError,
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Build the answer that carries a problem document; fields: all that are wrong."""
    if error.field is not None and not fields:
        fields = [FieldProblem(field=error.field, message=error.message)]
    document = problem(error, field=fields[0].field if fields else None)
    if fields:
        document["errors"] = [each.as_sent() for each in fields]
    if isinstance(error, LabelsChangedError):
        document["images"] = error.images
    status = error.http_status
    retry = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
    return JSONResponse(
        document,
        status,
        headers={**retry, **error.headers, **(headers or {})},
        media_type=MEDIA_TYPE,
    )


async def _on_domain_error(request: Request, error: ReadsmithError) -> Response:
    return answer(error)


async def _on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        where = errors[0]["loc"][-1]
        why = errors[0]["ctx"]["error"]
        detail = f"The body is not JSON: {why} at character {where}."
        return answer(MalformedError("json_invalid", detail, "GET /docs describes the body."))
    fields = field_problems(errors, error.body)
    if errors[0]["type"] == TOO_LONG:
        most = errors[0]["ctx"]["max_length"]
        return answer(text_too_long(fields[0].field, len(errors[0]["input"]), most), fields)
    detail = " ".join(f"{one.field}: {one.message}." for one in fields)
    hint = "GET /docs describes every field."
    return answer(UnusableError("request_invalid", detail, hint), fields)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    detail = f"{error.detail}: {request.method} {request.url.path}"
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := _methods(request)):
        headers["Allow"] = ", ".join(methods)
    return answer(of_status(error.status_code, detail), headers=headers)


def _methods(request: Request) -> list[str]:
    """Return every method that this path takes; Starlette tells those of its first route only."""
    path = getattr(request.scope.get("route"), "path", None)
    methods = {method.upper() for method in request.app.openapi()["paths"].get(path, ())}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _on_database_error(request: Request, error: SQLAlchemyError) -> Response:
    if isinstance(error, DataError):  # for example a NUL, which PostgreSQL does not store
        detail = "The database cannot store a value of this request."
        return answer(UnusableError("value_unusable", detail, "Leave out NUL characters."))
    return answer(unavailable(error))


async def _on_system_error(request: Request, error: OSError) -> Response:
    known = storage_error(error)
    if known is None:
        raise error
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return answer(known)


async def _on_disconnect(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _on_unexpected(request: Request, error: Exception) -> Response:
    hint = "The trainer's log has the details."
    return answer(of_status(500, "Internal server error.", hint))


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    ReadsmithError: _on_domain_error,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_error,
    DBAPIError: _on_database_error,
    PoolTimeoutError: _on_database_error,
    OSError: _on_system_error,
    ClientDisconnect: _on_disconnect,
    Exception: _on_unexpected,
}
"""Every error of the app is answered with a problem document."""


def field_problems(errors: Sequence[Any], body: Any) -> list[FieldProblem]:
    """Turn pydantic's errors into one message per field.

    A union gives one error per alternative, with the alternative's name in the path: such
    names are dropped, and the messages for the same field are joined.
    """
    by_path: dict[tuple[str | int, ...], list[Any]] = {}
    for error in errors:
        by_path.setdefault(_path(error, body), []).append(error)
    return [
        FieldProblem(
            field=shown(".".join(map(str, path))) or "body",
            message=shown(_message(same), None),
        )
        for path, same in by_path.items()
        if not any(other != path and other[: len(path)] == path for other in by_path)
    ]


_PLAIN = {
    "extra_forbidden": "is not a field that is known here",
    "missing": "is required",
    "model_attributes_type": "should be an object",
}


def _path(error: Any, body: Any) -> tuple[str | int, ...]:
    source, *parts = error["loc"]
    if source != "body":
        return tuple(parts)
    path: list[str | int] = []
    value = body
    for position, part in enumerate(parts, 1):
        absent = error["type"] == "missing" and position == len(parts)
        if isinstance(value, dict) and (part in value or absent):
            path.append(part)
            value = value.get(part)
    return tuple(path)


def _message(errors: Sequence[Any]) -> str:
    first, *others = [_text(error) for error in errors]
    text = " or ".join([first, *(other.removeprefix("should be ") for other in others)])
    given = errors[0]["input"]
    if errors[0]["type"] in ("extra_forbidden", TOO_LONG) or not isinstance(given, Scalar):
        return text
    return f"{text} (not {shown(json.dumps(given, ensure_ascii=False), 60)})"


def _text(error: Any) -> str:
    known = _PLAIN.get(error["type"])
    if known:
        return known
    if error["type"] == TOO_LONG:
        return too_long(len(error["input"]), error["ctx"]["max_length"])
    text: str = plain_fault(error["msg"]).removeprefix("Input ")
    return text[0].lower() + text[1:]
