"""A trainer that does not answer delays no prediction, however much feedback comes for it."""

import signal
import statistics
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.support.services import services
from tests.support.services.memory import as_form, blank, exchange

SENDERS = 8
"""As many as the predictor has threads."""
SECONDS = 6.0
MOST_SECONDS = 1.0
"""For half of the predictions; a request of feedback waits for the trainer for five."""


@pytest.mark.parametrize("outbox", [True, False])
def test_predictions_do_not_wait_for_a_stopped_trainer(tmp_path: Path, outbox: bool) -> None:
    image = blank((200, 50))
    done = threading.Event()
    statuses: set[int] = set()

    def send(url: str) -> None:
        while not done.is_set():
            told = {"text": "ab"}
            answer = requests.post(f"{url}/feedback", files={"image": image}, data=told, timeout=60)
            statuses.add(answer.status_code)

    with services.trainer(tmp_path) as trainer:
        folder = str(tmp_path / "outbox") if outbox else ""
        with services.predictor(
            tmp_path, READSMITH_TRAINER_URL=trainer.url, READSMITH_OUTBOX=folder
        ) as predictor:
            senders = [threading.Thread(target=send, args=(predictor.url,)) for _ in range(SENDERS)]
            trainer.process.send_signal(signal.SIGSTOP)
            try:
                for sender in senders:
                    sender.start()
                time.sleep(1)
                taken = times_of_predictions(predictor.port)
            finally:
                done.set()
                trainer.process.send_signal(signal.SIGCONT)
            for sender in senders:
                sender.join()
    assert statistics.median(taken) < MOST_SECONDS
    assert statuses <= ({202} if outbox else {202, 503})


def times_of_predictions(port: int) -> list[float]:
    taken = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        began = time.monotonic()
        assert exchange(port, "POST", "/predict", as_form([blank((200, 50))]))[0] == 200
        taken.append(time.monotonic() - began)
    return taken
