"""Reads the body of a request: bounded, unpacked if it came as gzip, JSON as a schema has it."""

import zlib
from typing import Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from predictor.requests.memory import BODY_COPIES, Lease
from predictor.requests.problems import Schema, validated
from shared.errors import MalformedError, TooLargeError, UnsupportedMediaError

MAX_RATIO = 100
"""Of an unpacked body to the packed one, as of a dataset's zip."""
FREE_BYTES = 1_000_000
"""What a body may unpack to at any ratio."""
GZIP: Final = 16 + zlib.MAX_WBITS
UTF8_MARK: Final = b"\xef\xbb\xbf"
UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
GZIP_MARK = b"\x1f\x8b"


def body_of(request: Request, lease: Lease) -> bytes:
    """Return the whole body; Werkzeug raises RequestEntityTooLarge, the lease UnavailableError.

    Whoever gets it drops it as soon as it is parsed: the request does not keep it.
    """
    stream = request.stream  # raises if Content-Length is over the limit
    length = request.content_length  # None: chunked, so any size may come
    lease.hold_body(request.max_content_length or 0 if length is None else length)
    data = request.get_data(cache=False)
    # get_data silently cuts a chunked body at the limit; reading one more byte raises.
    stream.read(1)
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return data
    if coding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaError(
            "unsupported_media_type",
            f"The Content-Encoding is {coding[:40]!r}.",
            "Send the body as it is, or packed with gzip.",
        )
    return _unpacked(data, request.max_content_length or 0, lease)


def _unpacked(data: bytes, limit: int, lease: Lease) -> bytes:
    """Unpack a body; raises before it takes more than the limit, or MAX_RATIO times its size."""
    most = min(limit, max(FREE_BYTES, MAX_RATIO * len(data)))
    lease.hold_body(most + len(data) // BODY_COPIES)
    unpacker = zlib.decompressobj(GZIP)
    try:
        body = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise _not_gzip(str(error)) from None
    if len(body) > limit:
        raise RequestEntityTooLarge
    if len(body) > most:
        raise TooLargeError(
            "body_too_large",
            f"The body unpacks to more than {MAX_RATIO} times its size.",
            "Send it as it is, without Content-Encoding.",
            "body",
        )
    if not unpacker.eof or unpacker.unused_data:
        raise _not_gzip("it is cut" if not unpacker.eof else "more follows its end")
    return body


def _not_gzip(why: str) -> MalformedError:
    return MalformedError(
        "gzip_invalid",
        f"The Content-Encoding is gzip, but the body is not valid gzip: {why}.",
        "Pack the whole body, or leave Content-Encoding out.",
        "body",
    )


def json_of(schema: type[Schema], request: Request, lease: Lease) -> Schema:
    """Return a JSON body as the schema has it; raises what body_of and validated raise."""
    body = body_of(request, lease).removeprefix(UTF8_MARK)
    if body.startswith(UTF16_MARKS):
        raise MalformedError(
            "json_invalid",
            "The body is UTF-16.",
            "Send JSON as UTF-8; PowerShell: [Text.Encoding]::UTF8.GetBytes($json).",
            "body",
        )
    if body.startswith(GZIP_MARK):
        raise MalformedError(
            "json_invalid",
            "The body is gzip, which no header says.",
            "Send it with Content-Encoding: gzip, or as it is.",
            "body",
        )
    lease.hold_json(body)
    return validated(schema, body)
