"""What gunicorn refuses before the app sees it, answered with problem documents too."""

import json
import socket
import uuid
from http import HTTPStatus

from gunicorn import util

from predictor.problems import problem
from shared.errors import ReadsmithError

CODES = {
    400: "bad_request",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
    501: "transfer_coding_unknown",
}


def write_problem(client: socket.socket, status: int, _reason: str, message: str) -> None:
    """Write an answer and announce the connection's end; stands in for gunicorn.util.write_error.

    message: what gunicorn found wrong; empty for an error of its own.
    """
    code = CODES.get(status, "bad_request" if status < 500 else "internal_error")
    hint = "Let a client write the request; send long options in the body."
    error = ReadsmithError(code, message or "The predictor failed on this request.", hint)
    document = problem(error) | {"request_id": uuid.uuid4().hex}
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {document['status']} {HTTPStatus(document['status']).phrase}\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    util.write_nonblock(client, head.encode() + body)
