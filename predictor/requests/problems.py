"""Validates what requests send, and makes errors of invalid fields."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import (
    MalformedError,
    ReadsmithError,
    TooLargeError,
    UnsupportedMediaError,
    UnusableError,
    text_too_long,
)
from shared.texts import plain_fault

Schema = TypeVar("Schema", bound=BaseModel)

MOST_JSON_VALUES = 20_000
"""An empty list in three bytes takes 300 in the parser."""
SHOWN = 40
"""Most characters of a field's name that an answer repeats: clients can send any name."""


def validated(schema: type[Schema], sent: bytes | Mapping[str, str]) -> Schema:
    """Return JSON or text fields as the schema has them.

    Raises MalformedError or UnusableError for the first invalid field; its description in the
    schema is the hint. TooLargeError for JSON of more than MOST_JSON_VALUES values.
    """
    try:
        if isinstance(sent, bytes):
            _check_values(sent)
            return schema.model_validate_json(sent)
        return schema.model_validate(sent)
    except ValidationError as error:
        raise _invalid(error, schema) from None


def _check_values(body: bytes) -> None:
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_JSON_VALUES:
        raise TooLargeError(
            "body_too_large",
            f"The JSON body has more than {MOST_JSON_VALUES:,} values.",
            "Send images and options only.",
            "body",
        )


def _invalid(error: ValidationError, schema: type[BaseModel]) -> ReadsmithError:
    # Without the input: it is another copy of the body.
    first = error.errors(include_url=False, include_input=False)[0]
    known = f"Known: {', '.join(schema.model_fields)}."
    fault = plain_fault(first["msg"])
    if first["type"] == "json_invalid":
        return MalformedError("json_invalid", f"The body is not JSON: {fault}.", known)
    if not first["loc"]:
        return UnusableError("request_invalid", f"The body is not valid: {fault}.", known)
    if first["type"] == "string_too_long":
        path = ".".join(map(str, first["loc"]))
        length = len(error.errors(include_url=False)[0]["input"])
        return text_too_long(path, length, first["ctx"]["max_length"])
    name, field = str(first["loc"][0]), ".".join(map(str, first["loc"]))[:SHOWN]
    if name not in schema.model_fields:
        return unknown(name, "field", tuple(schema.model_fields))
    hint = f"{name} must be {schema.model_fields[name].description}."
    message = f"The value of {field} is not valid: {fault}."
    return UnusableError("request_invalid", message, hint, field)


def unsupported_media(kind: str, hint: str) -> UnsupportedMediaError:
    """Return the error for a body of a media type that the route does not take; kind may be ""."""
    message = f"The Content-Type is {kind!r}." if kind else "The request has no Content-Type."
    return UnsupportedMediaError("unsupported_media_type", message, hint)


def unknown(name: str, what: str, known: tuple[str, ...]) -> UnusableError:
    """Return the error for an unknown name; what: its kind, for example "field"."""
    message = f"There is no {what} {name[:SHOWN]!r}."
    return UnusableError("request_invalid", message, f"Known: {', '.join(known)}.", name[:SHOWN])
