"""HTTP to one service: kept alive, repeated where that is safe, every failure a ServiceError."""

import itertools
import random
from collections.abc import Iterator
from time import sleep
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from pydantic import ValidationError
from requests.auth import AuthBase
from requests.exceptions import ProxyError, SSLError

from readsmith.client.errors import ServiceError, refused
from shared.access.tokens import TOKEN
from shared.api.answer import Answer
from shared.api.problems import Problem

TIMEOUT = (5.0, 120.0)
"""Seconds to connect, and to wait for the next bytes of an answer."""
CHUNK = 1 << 20
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0
"""A service that asks for a longer wait than this is not asked again."""
UNAVAILABLE = 503

Wanted = TypeVar("Wanted", bound=Answer)


class _Bearer(AuthBase):
    """Sends a key; as a plain header it would give way to one from the user's .netrc."""

    def __init__(self, api_key: str) -> None:
        self._key = api_key.strip()
        if not TOKEN.fullmatch(self._key):
            raise ServiceError(
                "bad_api_key",
                "The API key given is none of Readsmith's.",
                "One begins with rs_ and has 55 characters: `readsmith keys create` prints it.",
            )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class ServiceConnection:
    """One service at one URL; not for several threads at once.

    retries: how often a request is repeated, if it is safe to, when the service says 503 or
    cannot be reached. api_key: what each request is sent with. Raises ServiceError (bad_url,
    bad_api_key).
    """

    def __init__(self, url: str, *, retries: int, api_key: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServiceError(
                "bad_url", f"{url!r} is no address of a service.", "One is http://127.0.0.1:8080"
            )
        self.url = url.rstrip("/")
        self._retries = retries
        self._session = requests.Session()
        if api_key is not None:
            self._session.auth = _Bearer(api_key)
        # a proxy from the environment cannot reach this machine's own services
        self._session.trust_env = parts.hostname not in ("127.0.0.1", "localhost", "::1")

    def close(self) -> None:
        """Close what is kept alive."""
        self._session.close()

    def answers(self) -> bool:
        """Tell whether the service is there."""
        try:
            return self.send("GET", "/healthz").ok
        except ServiceError:
            return False

    def ask(
        self, kind: type[Wanted], method: str, path: str, *, repeat: bool = False, **content: Any
    ) -> Wanted:
        """Return what the service answers; raises ServiceError for a refusal, too."""
        answer = self.send(method, path, repeat=repeat, **content)
        if not answer.ok:
            raise self.refusal(answer)
        return self.parsed(kind, answer.content, answer.status_code)

    def send(
        self, method: str, path: str, *, repeat: bool = False, **content: Any
    ) -> requests.Response:
        """Return an answer with any status; content is given to requests.

        repeat: asking twice does no more than asking once. Raises ServiceError.
        """
        retries = self._retries if repeat else 0
        for tried in itertools.count():
            wait = min(FIRST_WAIT * 2**tried, LONGEST_WAIT) * random.uniform(0.5, 1)  # noqa: S311
            try:
                answer = self._session.request(method, self.url + path, timeout=TIMEOUT, **content)
            except requests.RequestException as error:
                if tried == retries or not isinstance(error, requests.ConnectionError):
                    raise self._explained(error) from error
            else:
                wait = max(wait, _retry_after(answer))
                if answer.status_code != UNAVAILABLE or tried == retries or wait > LONGEST_WAIT:
                    return answer
            sleep(wait)
        raise AssertionError  # the loop above has no end of its own

    def chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """Yield the body of an answer that was asked for with stream=True; raises ServiceError."""
        try:
            yield from answer.iter_content(CHUNK)
        except requests.RequestException as error:
            raise self._explained(error) from error

    def refusal(self, answer: requests.Response) -> ServiceError:
        """Return the exception that an answer's problem document stands for."""
        return refused(self.parsed(Problem, answer.content, answer.status_code))

    def parsed(self, kind: type[Wanted], body: bytes, status: int) -> Wanted:
        """Return what a body says, unknown fields too; raises ServiceError for anything else."""
        try:
            return kind.model_validate_json(body, extra="allow")
        except ValidationError as error:
            raise ServiceError(
                "not_readsmith",
                f"What answers at {self.url} is not Readsmith (status {status}), "
                "or of another version.",
                "Check host and port.",
                status,
            ) from error

    def _explained(self, error: requests.RequestException) -> ServiceError:
        if isinstance(error, requests.ConnectionError) and not isinstance(
            error, SSLError | ProxyError
        ):
            return ServiceError(
                "unreachable",
                f"Nothing answers at {self.url}.",
                "Start the services with `readsmith up`, or give another --url.",
            )
        return ServiceError(
            "request_failed", f"{self.url}: {error}", "Check the address and what lies before it."
        )


def _retry_after(answer: requests.Response) -> float:
    """Return the seconds that a service asks to wait; 0 if it does not say (or says a date)."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
