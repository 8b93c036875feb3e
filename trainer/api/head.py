"""HEAD, wherever there is GET: the same answer without its body."""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware that has HEAD requests answered as GET, and ends them after the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        # A copy: the server must go on to see HEAD, so that it sends no body.
        as_get = {**scope, "method": "GET"}

        async def headers_only(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The middlewares around this one tell the route by it.
                scope.update({name: as_get[name] for name in _FOUND if name in as_get})
                await send(message)
            elif not ended.cancel_called:
                await send({"type": "http.response.body"})
                ended.cancel()  # a stream of events would go on

        with CancelScope() as ended:
            await self._app(as_get, receive, headers_only)


_FOUND = ("route", "path_params", "endpoint")
"""What the router adds to the scope."""
