"""The predictor with one more route, which receives the same upload and predicts nothing.

python -m benchmarks.serving.echo_app, with the predictor's settings.
"""

from typing import Any, cast

from flask import Flask, request

from predictor.__main__ import _Server
from predictor.server.arbiter import Port
from predictor.settings import PredictorSettings

ANSWER = {
    "text": "2b827",
    "confidence": 0.998765,
    "characters": [
        {"text": character, "confidence": 0.998765, "start": 0.1458, "end": 0.1875}
        for character in "2b827"
    ],
    "model": "default",
    "version": 1,
    "request_id": "0" * 32,
}
"""As long as the predictor's."""


class EchoServer(_Server):
    """The predictor's server, configuration and app."""

    def load(self) -> Any:
        """Add the route; the app is otherwise the predictor's."""
        app = cast(Flask, super().load())

        @app.post("/echo")
        def echo() -> dict[str, Any]:
            request.files["image"].read()
            return ANSWER

        return app


if __name__ == "__main__":
    settings = PredictorSettings()
    server = Port.bound(settings.predictor_host, settings.predictor_port)
    EchoServer(settings, server).run()
