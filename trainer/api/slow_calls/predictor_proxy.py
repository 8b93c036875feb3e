"""Passes requests on to the predictor, so that a page needs to know the trainer only."""

import os
from collections.abc import Mapping
from typing import IO

from starlette.responses import Response
from urllib3 import Timeout, connection_from_url
from urllib3.exceptions import HTTPError

from shared.errors import UnavailableError

ASKED_WITH = ("accept", "authorization", "content-encoding", "content-type", "x-request-id")
ANSWERED_WITH = (
    *("cache-control", "content-type", "retry-after", "server-timing", "www-authenticate"),
    "x-request-id",
)
"""The headers that are passed on."""
TIMEOUT = Timeout(connect=3, read=120)
CONNECTIONS = 8


class PredictorLink:
    """Connections to one predictor, for any number of threads."""

    def __init__(self, url: str) -> None:
        self._pool = connection_from_url(url, maxsize=CONNECTIONS, timeout=TIMEOUT)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        address: str | None,
        body: IO[bytes] | None = None,
    ) -> Response:
        """Send a request whose own headers and client's address are given; return the answer.

        Raises ReadsmithError predictor_unavailable.
        """
        sent = {name: headers[name] for name in ASKED_WITH if name in headers}
        # The trainer has let the request in under a name that it knows; the predictor need not
        # know its own name here.
        sent["Host"] = "localhost"
        if body is not None:
            sent["Content-Length"] = str(body.seek(0, os.SEEK_END))
            body.seek(0)
        if address is not None:
            sent["X-Forwarded-For"] = address
        try:
            answer = self._pool.urlopen(
                method, target, body=body, headers=sent, retries=False, redirect=False
            )
        except HTTPError as error:
            raise UnavailableError(
                "predictor_unavailable",
                f"The predictor does not answer ({type(error).__name__}).",
                "Start it, and set READSMITH_PREDICTOR_URL to where it listens.",
            ) from error
        passed = {n: answer.headers[n] for n in ANSWERED_WITH if n in answer.headers}
        passed["X-Content-Type-Options"] = "nosniff"
        return Response(answer.data, answer.status, passed)
