"""Sends corrections to the trainer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Any, Final

import urllib3
from urllib3.exceptions import HTTPError

from predictor.settings import PredictorSettings
from shared.errors import CorrectionRefusedError, TrainerAwayError

TIMEOUT_SECONDS = 5
SENDING_REQUESTS = 2
"""Most requests that wait for the trainer: each occupies a thread that predictions need."""
TURN_SECONDS = 0.5
"""How long a further one waits for its turn."""
MAX_ANSWER_BYTES = 100_000
REJECTED: Final = {400, 413, 415, 422}
"""Statuses that reject a correction for good; after others the same one may succeed later."""


class TrainerClient:
    """The trainer's address and the API key for it."""

    def __init__(self, settings: PredictorSettings) -> None:
        assert settings.trainer_url is not None, "no trainer is configured"  # noqa: S101
        self._url = str(settings.trainer_url).rstrip("/")
        key = settings.feedback_key
        self._key = f"Bearer {key.get_secret_value()}" if key else None
        self._turns = BoundedSemaphore(SENDING_REQUESTS)
        self._probe = Lock()
        self._silent = False
        """Whether the trainer left a request without an answer, and has answered none since."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let few requests at a time wait for the trainer; raises TrainerAwayError.

        While it is silent, only one at a time tries it. A stopped trainer held every thread for
        five seconds at a time, and predictions waited as long.
        """
        silent = self._silent
        turn = self._probe if silent else self._turns
        if not turn.acquire(timeout=0 if silent else TURN_SECONDS):
            self._silent = True
            raise _away("it leaves others without an answer")
        try:
            yield
        finally:
            turn.release()

    def correct(self, model: str, correction: bytes, authorization: str | None = None) -> None:
        """Send a correction of a model, as JSON.

        authorization: sent if no key is set. Raises TrainerAwayError or CorrectionRefusedError.
        """
        # A trainer without keys accepts known host names only, and does not know its own name in
        # a container network.
        headers = {"Content-Type": "application/json", "Host": "localhost", "Connection": "close"}
        key = self._key or authorization
        if key is not None:
            headers["Authorization"] = key
        try:
            with urllib3.request(
                "POST",
                f"{self._url}/models/{model}/corrections",
                body=correction,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                retries=False,
                preload_content=False,
            ) as answer:
                body = answer.read(MAX_ANSWER_BYTES)
        except HTTPError as error:
            self._silent = True
            # Its cause says what failed without naming the trainer's host.
            raise _away(f"{error.__cause__ or type(error).__name__}") from error
        self._silent = False
        if answer.status in (200, 201):
            return
        problem = _problem(body)
        detail = str(problem.get("detail", answer.reason))
        if answer.status in REJECTED:
            raise CorrectionRefusedError("correction_refused", detail, str(problem.get("hint", "")))
        raise _away(f"it answers {answer.status} {detail}")


def _away(reason: str) -> TrainerAwayError:
    return TrainerAwayError(
        "trainer_unavailable",
        f"The trainer does not accept the correction: {reason}.",
        "Check that it runs at READSMITH_TRAINER_URL; READSMITH_OUTBOX names a folder where "
        "corrections wait until it is back.",
    )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
