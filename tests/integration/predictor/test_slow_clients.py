"""Slow clients of a predictor without a gateway: the long form has 200 of them."""

import time
from pathlib import Path

import requests

from tests.support.hostile.raw_requests import PROBLEM, exchange
from tests.support.hostile.slow_clients import FORM, is_closed, slow_clients
from tests.support.services import services

THREADS = 8
TIMEOUT = 60.0


def test_others_are_served_while_there_are_threads_and_the_silent_are_ended(tmp_path: Path) -> None:
    with (
        services.predictor(tmp_path, READSMITH_PREDICTOR_THREADS=str(THREADS)) as predictor,
        slow_clients(predictor.port, "stalled head", THREADS - 2, "predict") as clients,
    ):
        time.sleep(0.5)  # by now each has its thread
        assert requests.get(f"{predictor.url}/healthz", timeout=5).ok
        [answer] = exchange(predictor.port, FORM % b"predict" + b"--b", TIMEOUT)
        assert (answer.status, answer.headers["content-type"]) == (408, PROBLEM)
        deadline = time.monotonic() + TIMEOUT
        while not all(is_closed(client) for client in clients):
            assert time.monotonic() < deadline
            assert requests.get(f"{predictor.url}/healthz", timeout=5).ok  # whoever is ended
            time.sleep(0.2)
