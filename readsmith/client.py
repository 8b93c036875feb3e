"""Talks to the two services over HTTP; whatever goes wrong is a ReadsmithError."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.errors import ReadsmithError

TIMEOUT = (5, 120)
"""Seconds to connect, and to wait for an answer."""


class Client:
    """One service at one URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # a proxy from the environment cannot reach this machine's own services
        host = urlsplit(url).hostname
        self._session.trust_env = host not in ("127.0.0.1", "localhost", "::1")

    def answers(self) -> bool:
        """Tell whether the service is there."""
        try:
            self._call("GET", "/healthz")
        except ReadsmithError:
            return False
        return True

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._session.request(method, self.url + path, timeout=TIMEOUT, **options)
            body = answer.json()
        except requests.JSONDecodeError as error:
            raise ReadsmithError(
                "not_readsmith",
                f"What answers at {self.url} is not Readsmith (status {answer.status_code}).",
                "Check host and port.",
            ) from error
        except requests.ConnectionError as error:
            raise ReadsmithError(
                "unreachable",
                f"Nothing answers at {self.url}.",
                "Start the services with `readsmith up`, or give another --url.",
            ) from error
        except requests.RequestException as error:
            raise ReadsmithError("request_failed", f"{self.url + path}: {error}") from error
        if not answer.ok:
            raise RefusedError(answer.status_code, body)
        return body


class RefusedError(ReadsmithError):
    """A service answered with an HTTP error status and a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Any) -> None:
        said = problem if isinstance(problem, dict) else {}
        message = said.get("detail") or said.get("title") or f"The service answered {status}."
        fields = [f"{e.get('field')}: {e.get('message')}" for e in said.get("errors") or ()]
        hint = "; ".join(fields) or said.get("hint") or ""
        super().__init__(said.get("code") or f"http_{status}", message, hint)
        self.status = status


class TrainerClient(Client):
    """The trainer's API; every method raises ReadsmithError."""

    def upload(self, zip_file: Path) -> str:
        """Send a zip and return its dataset id."""
        with zip_file.open("rb") as file:
            answer = self._call("POST", "/datasets", files={"file": (zip_file.name, file)})
        return str(answer["id"])

    def post_job(self, request: dict[str, Any]) -> dict[str, Any]:
        """Queue a job and return it."""
        return dict(self._call("POST", "/jobs", json=request))

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job."""
        return dict(self._call("GET", f"/jobs/{job_id}"))

    def jobs(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest jobs, newest first."""
        return list(self._call("GET", "/jobs", params={"limit": limit})["data"])

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to stop and return it."""
        return dict(self._call("POST", f"/jobs/{job_id}/cancel"))

    def events(self, job_id: str, after: int) -> list[dict[str, Any]]:
        """Return the next events of a job after the one with this id, oldest first."""
        return list(self._call("GET", f"/jobs/{job_id}/events", params={"after": after})["data"])


class PredictorClient(Client):
    """The predictor's API; every method raises ReadsmithError."""

    def predict(self, picture: bytes, model: str | None = None) -> dict[str, Any]:
        """Return the reading of one picture."""
        parameters = {"model": model} if model else {}
        files = {"image": ("image", picture)}
        return dict(self._call("POST", "/predict", params=parameters, files=files))
