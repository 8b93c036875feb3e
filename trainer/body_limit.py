"""Refuses a request body that is too large before it is read into memory."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trainer.problems import answer

JSON_BYTES = 1_000_000
FORM_OVERHEAD = 100_000
"""Room for the boundaries and headers around an uploaded file."""


class BodyLimit:
    """ASGI middleware: uploads to /datasets may have `upload_bytes`, every other body 1 MB."""

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = scope["path"] == "/datasets"
        limit = self._upload_bytes + FORM_OVERHEAD if upload else JSON_BYTES
        detail = f"The body of this request may have at most {limit} bytes."
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            refusal = answer(413, "body_too_large", detail)
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:  # sent in chunks, its length not announced
                raise HTTPException(413, detail)
            return message

        await self._app(scope, counted, send)
