"""Refuses a request body that is too large before it is read into memory, or that stops coming."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import MalformedError, TooLargeError
from trainer.api.problems import answer

JSON_BYTES = 1_000_000
CORRECTION_BYTES = 14_000_000
"""An image in base64, and its text."""
IMAGES_BYTES = 64_000_000
"""Up to 64 images of a dataset."""
PREDICT_BYTES = 42_000_000
"""The predictor refuses more than 41 MB itself, in its own words."""
FORM_OVERHEAD = 100_000
"""Room for the boundaries and headers around an uploaded file."""
PAUSE_SECONDS = 30.0
"""How long a body may pause; as long as at the gateway."""


class BodyLimit:
    """ASGI middleware: uploads to /datasets may have `upload_bytes`, most other bodies 1 MB."""

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        refusal = _refusal(Headers(scope=scope), limit)
        await (refusal or self._app)(scope, _counted(receive, limit), send)

    def _limit(self, path: str) -> int:
        if path == "/datasets":
            return self._upload_bytes + FORM_OVERHEAD
        if path.startswith("/datasets/") and path.endswith("/images"):
            return IMAGES_BYTES
        if path == "/try":
            return PREDICT_BYTES
        if path.startswith("/models/") and path.endswith("/corrections"):
            return CORRECTION_BYTES
        return JSON_BYTES


def _refusal(headers: Headers, limit: int) -> Response | None:
    """Return what to answer if the headers are enough to see that the body cannot be taken."""
    announced = headers.get("content-length")
    if announced is None:
        return None
    if "transfer-encoding" in headers:  # a proxy may see other bounds than we do
        detail = "A body has either a Content-Length or a Transfer-Encoding, not both."
        hint = "Let a client write the request."
        return answer(MalformedError("bad_request", detail, hint), headers={"Connection": "close"})
    if announced.isdecimal() and int(announced) > limit:
        return answer(_too_large(limit))
    return None


def _counted(receive: Receive, limit: int) -> Receive:
    """Receive; raises HTTPException for a body over the limit or a pause: FastAPI hides others."""
    received, more = 0, True

    async def counted() -> Message:
        nonlocal received, more
        message = await (_in_time(receive) if more else receive())
        more = message.get("more_body", False)
        received += len(message.get("body", b""))
        if received > limit:  # sent in chunks, its length not announced
            raise HTTPException(413, _too_large(limit).message)
        return message

    return counted


async def _in_time(receive: Receive) -> Message:
    """Wait for the next piece of a body."""
    try:
        async with asyncio.timeout(PAUSE_SECONDS):
            return await receive()
    except TimeoutError:
        raise HTTPException(408, f"The body paused for {PAUSE_SECONDS:.0f} s") from None


def _too_large(limit: int) -> TooLargeError:
    message = f"The body of this request may have at most {limit} bytes."
    return TooLargeError("body_too_large", message, "GET /docs says what the route takes.")
