"""From errors to RFC 9457 problem documents."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import MalformedError, ReadsmithError, UnusableError

SHOWN = 40
"""Characters of a field's name that are repeated: it may be anything."""


def problem(error: ReadsmithError, *, field: str | None = None) -> dict[str, Any]:
    """Describe an error as RFC 9457 wants it, with the members code, hint and field."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.http_status).phrase,
        "status": error.http_status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
    }
    field = field or error.field
    return document if field is None else {**document, "field": field}


def invalid(error: ValidationError, asked: type[BaseModel]) -> ReadsmithError:
    """Say in our words what is wrong with the first wrong field of what was asked.

    The description of each of its fields says what is right.
    """
    first = error.errors(include_url=False)[0]
    known = f"Known: {', '.join(asked.model_fields)}."
    if first["type"] == "json_invalid":
        return MalformedError("json_invalid", f"The body is not JSON: {first['msg']}.", known)
    if not first["loc"]:
        return UnusableError("request_invalid", f"The body is not valid: {first['msg']}.", known)
    name, field = str(first["loc"][0]), ".".join(map(str, first["loc"]))[:SHOWN]
    if name not in asked.model_fields:
        return unknown(name, "field", tuple(asked.model_fields))
    hint = f"{name} must be {asked.model_fields[name].description}."
    message = f"The value of {field} is not valid: {first['msg']}."
    return UnusableError("request_invalid", message, hint, field)


def unknown(name: str, what: str, known: tuple[str, ...]) -> UnusableError:
    """Return the error for a field, or whatever else it is, that is not known."""
    message = f"There is no {what} {name[:SHOWN]!r} here."
    return UnusableError("request_invalid", message, f"Known: {', '.join(known)}.", name[:SHOWN])
