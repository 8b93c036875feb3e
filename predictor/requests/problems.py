"""Makes errors of invalid request fields."""

from pydantic import BaseModel, ValidationError

from shared.errors import MalformedError, ReadsmithError, UnusableError

SHOWN = 40
"""Most characters of a field's name that an answer repeats: clients can send any name."""


def invalid(error: ValidationError, schema: type[BaseModel]) -> ReadsmithError:
    """Return the error for the first invalid field; its description in the schema is the hint."""
    first = error.errors(include_url=False)[0]
    known = f"Known: {', '.join(schema.model_fields)}."
    if first["type"] == "json_invalid":
        return MalformedError("json_invalid", f"The body is not JSON: {first['msg']}.", known)
    if not first["loc"]:
        return UnusableError("request_invalid", f"The body is not valid: {first['msg']}.", known)
    name, field = str(first["loc"][0]), ".".join(map(str, first["loc"]))[:SHOWN]
    if name not in schema.model_fields:
        return unknown(name, "field", tuple(schema.model_fields))
    hint = f"{name} must be {schema.model_fields[name].description}."
    message = f"The value of {field} is not valid: {first['msg']}."
    return UnusableError("request_invalid", message, hint, field)


def unknown(name: str, what: str, known: tuple[str, ...]) -> UnusableError:
    """Return the error for an unknown name; what: its kind, for example "field"."""
    message = f"There is no {what} {name[:SHOWN]!r}."
    return UnusableError("request_invalid", message, f"Known: {', '.join(known)}.", name[:SHOWN])
