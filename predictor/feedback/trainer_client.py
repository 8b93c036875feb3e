"""Hands corrections over to the trainer."""

import http.client
import json
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlsplit

from predictor.settings import PredictorSettings
from shared.errors import CorrectionRefusedError, TrainerAwayError

TIMEOUT_SECONDS = 5
MOST_ANSWER_BYTES = 100_000
REFUSALS: Final = {400, 413, 415, 422}
"""Statuses that say that a correction will never be taken; others may pass."""


class TrainerClient:
    """Where the trainer is, and the key to it."""

    def __init__(self, settings: PredictorSettings) -> None:
        assert settings.trainer_url is not None, "there is no trainer"  # noqa: S101
        url = urlsplit(str(settings.trainer_url))
        self._host = url.netloc
        self._secure = url.scheme == "https"
        self._path = url.path.rstrip("/")
        key = settings.feedback_key
        self._key = f"Bearer {key.get_secret_value()}" if key else None

    def correct(self, model: str, correction: bytes, authorization: str | None = None) -> None:
        """Hand over a correction of a model, as JSON.

        authorization: sent if no key is set. Raises TrainerAwayError or CorrectionRefusedError.
        """
        headers = {"Content-Type": "application/json", "Host": "localhost"}  # any name is right
        key = self._key or authorization
        if key is not None:
            headers["Authorization"] = key
        try:
            with closing(self._connection()) as connection:
                path = f"{self._path}/models/{model}/corrections"
                connection.request("POST", path, correction, headers)
                answer = connection.getresponse()
                body = answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _away(f"{error or type(error).__name__}") from error
        if answer.status in (200, 201):
            return
        problem = _problem(body)
        detail = str(problem.get("detail", answer.reason))
        if answer.status in REFUSALS:
            raise CorrectionRefusedError("correction_refused", detail, str(problem.get("hint", "")))
        raise _away(f"it answers {answer.status} {detail}")

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self._host, timeout=TIMEOUT_SECONDS)
        return http.client.HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)


def _away(reason: str) -> TrainerAwayError:
    return TrainerAwayError(
        "trainer_unavailable",
        f"The trainer does not take the correction: {reason}.",
        "Look whether it runs at READSMITH_TRAINER_URL; READSMITH_OUTBOX names a folder where "
        "corrections wait until it is back.",
    )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
