"""Errors as both services answer them: RFC 9457 problem documents."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import Field

from shared.api.answer import Answer
from shared.api.labelling import DatasetImage
from shared.errors import CODES, ReadsmithError

MEDIA_TYPE: Final = "application/problem+json"


class FieldProblem(Answer):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(Answer):
    """What is wrong, as RFC 9457 wants it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="What was wrong, and where.")
    code: str = Field(
        description="A stable name of what was wrong.", json_schema_extra={"enum": list(CODES)}
    )
    hint: str = Field("", description="What would be right.")
    field: str | None = Field(None, description="The first part of the request that is wrong.")
    errors: list[FieldProblem] | None = Field(
        None, description="Every field that is wrong; told by the trainer."
    )
    images: list[DatasetImage] | None = Field(
        None, description="With labels_changed: the images as they are now."
    )
    request_id: str | None = Field(None, description="Of the request; told by the predictor.")


def problem(error: ReadsmithError, *, field: str | None = None) -> dict[str, Any]:
    """Return the problem document of an error, plain and fast; field: in place of the error's."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.http_status).phrase,
        "status": error.http_status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
    }
    field = field or error.field
    return document if field is None else {**document, "field": field}
