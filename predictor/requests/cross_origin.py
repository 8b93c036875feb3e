"""Lets web pages of the origins that a setting names call the predictor (CORS).

https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from flask import Flask, Response, request

from predictor.settings import PredictorSettings
from shared.access.allowed_hosts import origins_of

SECONDS = 600
"""How long a browser need not ask again."""
METHODS = "GET, POST, DELETE"
SENT = "Authorization, Content-Type, Content-Encoding, X-Request-ID"
SHOWN = "X-Request-ID, Server-Timing, Retry-After"


def add_cross_origin(app: Flask, settings: PredictorSettings) -> None:
    """Answer what browsers ask before a page's request, and say which pages may see answers.

    Their first question carries no key, so it comes before add_access. Without origins nothing is
    added: a browser then keeps every answer from pages of others.
    """
    origins = origins_of(settings.allowed_origins)
    if not origins:
        return

    @app.before_request
    def preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asked or request.headers.get("Origin") not in origins:
            return None
        return Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": SENT,
                "Access-Control-Max-Age": str(SECONDS),
            },
        )

    @app.after_request
    def name_origin(response: Response) -> Response:
        response.headers.add("Vary", "Origin")
        origin = request.headers.get("Origin", "")
        if origin in origins:
            # The page's own name, never "*": a page of anybody could use a key that it has got.
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = SHOWN
        return response
