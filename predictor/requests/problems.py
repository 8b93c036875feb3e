"""What is wrong with the fields of a request, in our words."""

from pydantic import BaseModel, ValidationError

from shared.errors import MalformedError, ReadsmithError, UnusableError

SHOWN = 40
"""Characters of a field's name that are repeated: it may be anything."""


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
