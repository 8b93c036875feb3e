"""From errors to RFC 9457 problem documents, by one table."""

from http import HTTPStatus
from typing import Any

from shared.access.access import ACCESS_STATUS
from shared.errors import ReadsmithError

STATUS = {
    "bad_base64": 400,
    "bad_feedback": 400,
    "bad_json": 400,
    "bad_multipart": 400,
    "bad_option": 400,
    "bad_pattern": 400,
    "bad_request": 400,
    "empty_image": 400,
    "no_image": 400,
    "no_text_fits": 400,
    "not_an_image": 400,
    "pattern_too_large": 400,
    "unknown_field": 400,
    "not_found": 404,
    "image_not_found": 404,
    "archive_disabled": 404,
    "unknown_model": 404,
    "unknown_version": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "body_too_large": 413,
    "image_too_large": 413,
    "too_many_images": 413,
    "too_many_parts": 413,
    "uri_too_long": 414,
    "unsupported_content_type": 415,
    "unsupported_format": 415,
    "expectation_failed": 417,
    "correction_refused": 422,
    "headers_too_large": 431,
    "internal_error": 500,
    "transfer_coding_unknown": 501,
    "bundle_invalid": 503,
    "feedback_not_set_up": 503,
    "no_model": 503,
    "outbox_full": 503,
    "storage_failed": 503,
    "storage_unavailable": 503,
    "trainer_unavailable": 503,
} | ACCESS_STATUS
"""HTTP status of every error code that an answer can carry."""


class RequestError(ReadsmithError):
    """A request that cannot be answered; field names the part of it that is wrong, if one is."""

    def __init__(self, code: str, message: str, hint: str, field: str | None = None) -> None:
        super().__init__(code, message, hint)
        self.field = field


def problem(error: ReadsmithError, *, field: str | None = None) -> dict[str, Any]:
    """Describe an error as RFC 9457 wants it, with the members code, hint and field."""
    status = STATUS[error.code]
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
    }
    return document if field is None else {**document, "field": field}
