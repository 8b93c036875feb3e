"""Errors as HTTP answers: RFC 9457 problem documents, made from one table."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.errors import ReadsmithError
from shared.store.manifest import Scalar
from trainer.database.tables import unavailable
from trainer.files.disk_errors import storage_error

MEDIA_TYPE = "application/problem+json"

STATUS_OF_CODE = {
    "json_invalid": 400,
    "form_invalid": 400,
    "value_unusable": 400,
    "correction_not_found": 404,
    "job_not_found": 404,
    "dataset_not_found": 404,
    "file_not_found": 404,
    "model_not_found": 404,
    "image_not_found": 404,
    "report_not_found": 404,
    "version_not_found": 404,
    "bundle_invalid": 409,
    "dataset_in_use": 409,
    "job_final": 409,
    "job_publishing": 409,
    "job_not_succeeded": 409,
    "no_earlier_version": 409,
    "no_held_out_images": 409,
    "upload_too_large": 413,
    "request_entity_too_large": 413,
    "unsupported_media_type": 415,
    "bad_pattern": 422,
    "image_too_large": 422,
    "not_an_image": 422,
    "unsupported_format": 422,
    "no_text_fits": 422,
    "pattern_too_large": 422,
    "request_invalid": 422,
    "idempotency_key_reused": 422,
    "not_a_zip": 422,
    "check_busy": 429,
    "queue_full": 429,
    "uploads_full": 429,
    "database_unavailable": 503,
    "predictor_unavailable": 503,
    "storage_unavailable": 503,
    "corrections_full": 507,
    "disk_full": 507,
}
"""Every code that an answer can carry on purpose; any other is an internal error."""

RETRY_AFTER = {429: "60", 503: "5"}

log = logging.getLogger("trainer.api.problems")


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457, section 3)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    """A stable name for programs."""
    hint: str | None = None
    """What would be right."""
    errors: list[FieldProblem] | None = None


class InvalidFieldError(ReadsmithError):
    """A field whose value has the right form but cannot be used; code request_invalid."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__("request_invalid", f"{field}: {message}", hint)
        self.fields = [FieldProblem(field=field, message=message)]


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


def answer(
    status: int,
    code: str,
    detail: str,
    hint: str = "",
    fields: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Build the answer that carries a problem document."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        hint=hint or None,
        errors=list(fields) or None,
    )
    retry = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status,
        headers={**retry, **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def unusable(error: ReadsmithError) -> JSONResponse:
    """Answer 422 with what is wrong with a dataset; raises an error that is not about it."""
    if error.code in STATUS_OF_CODE or error.code == "process_died":
        raise error
    return answer(422, error.code, error.message, error.hint)


def install_problem_handlers(app: FastAPI) -> None:
    """Have every error of the app answered with a problem document."""
    app.add_exception_handler(ReadsmithError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(DBAPIError, _on_database_error)
    app.add_exception_handler(PoolTimeoutError, _on_database_error)
    app.add_exception_handler(OSError, _on_system_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReadsmithError)  # noqa: S101 - says the type
    status = STATUS_OF_CODE.get(error.code, 500)
    fields = error.fields if isinstance(error, InvalidFieldError) else ()
    return answer(status, error.code, error.message, error.hint, fields)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - says the type
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        where = errors[0]["loc"][-1]
        why = errors[0]["ctx"]["error"]
        detail = f"The body is not JSON: {why} at character {where}."
        return answer(400, "json_invalid", detail)
    fields = field_problems(errors, error.body)
    detail = " ".join(f"{one.field}: {one.message}." for one in fields)
    return answer(422, "request_invalid", detail, "GET /docs describes every field.", fields)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - says the type
    code = HTTPStatus(error.status_code).name.lower()
    detail = f"{error.detail}: {request.method} {request.url.path}"
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := _methods(request)):
        headers["Allow"] = ", ".join(methods)
    return answer(error.status_code, code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """Return every method that this path takes; Starlette tells those of its first route only."""
    path = getattr(request.scope.get("route"), "path", None)
    return sorted(method.upper() for method in request.app.openapi()["paths"].get(path, ()))


async def _on_database_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SQLAlchemyError)  # noqa: S101 - says the type
    if isinstance(error, DataError):  # for example a NUL, which PostgreSQL does not store
        return answer(400, "value_unusable", "The database cannot keep a value of this request.")
    return await _on_domain_error(request, unavailable(error))


async def _on_system_error(request: Request, error: Exception) -> Response:
    known = storage_error(error) if isinstance(error, OSError) else None
    if known is None:
        raise error
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return await _on_domain_error(request, known)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it


async def _on_unexpected(request: Request, error: Exception) -> Response:
    detail = "The trainer failed in a way that nobody foresaw."
    return answer(500, "internal_error", detail, "The trainer's log has the details.")


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
            field=_encodable(".".join(map(str, path))) or "body",
            message=_encodable(_message(same)),
        )
        for path, same in by_path.items()
        if not any(other != path and other[: len(path)] == path for other in by_path)
    ]


def _encodable(text: str) -> str:
    """Spell out halves of characters: JSON may hold them, an answer in UTF-8 may not."""
    return text.encode(errors="backslashreplace").decode()


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
    if errors[0]["type"] == "extra_forbidden" or not isinstance(given, Scalar):
        return text
    shown = json.dumps(given, ensure_ascii=False)
    return f"{text} (not {shown if len(shown) <= 60 else shown[:60] + '…'})"


def _text(error: Any) -> str:
    known = _PLAIN.get(error["type"])
    if known:
        return known
    text: str = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return text[0].lower() + text[1:]
