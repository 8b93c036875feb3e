"""Signals to the predictor: SIGHUP replaces its workers, and none of the others does any harm."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.services import services
from tests.support.services.memory import as_form, blank, exchange, worker_of
from tests.support.services.services import Service

SHARED_MEMORY = Path("/dev/shm")
TIMEOUT = 60.0


@pytest.fixture
def predictor(tmp_path: Path) -> Iterator[Service]:
    with services.predictor(tmp_path) as service:
        yield service


def metrics_folders(predictor: Service) -> set[str]:
    """Return the folders of metrics that this predictor's processes made or use."""
    environment = Path(f"/proc/{worker_of(predictor)}/maps").read_text()
    return {
        line.split("/")[3] for line in environment.splitlines() if "/readsmith-metrics-" in line
    }


def wait_for_another_worker(predictor: Service, before: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    pid = predictor.process.pid
    while True:
        assert time.monotonic() < deadline
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if len(children) == 1 and int(children[0]) != before:
            return
        time.sleep(0.05)


def test_sighup_replaces_the_workers_and_fails_no_request(predictor: Service) -> None:
    done = threading.Event()
    failed: list[object] = []
    body = as_form([blank((200, 50))])

    def ask(session: requests.Session | None) -> None:
        while not done.is_set():
            try:
                if session is None:
                    assert exchange(predictor.port, "POST", "/predict", body)[0] == 200
                else:
                    session.post(
                        f"{predictor.url}/predict", *body[:1], headers=body[1], timeout=TIMEOUT
                    )
            except (OSError, AssertionError) as error:
                failed.append(error)

    clients = [
        threading.Thread(target=ask, args=(session,))
        for session in (None, None, requests.Session(), requests.Session())
    ]
    folders = metrics_folders(predictor)
    for client in clients:
        client.start()
    for _ in range(3):
        before = worker_of(predictor)
        predictor.process.send_signal(signal.SIGHUP)
        wait_for_another_worker(predictor, before)
    done.set()
    for client in clients:
        client.join()
    assert failed == []
    assert metrics_folders(predictor) == folders


def test_the_metrics_folder_is_deleted_at_the_end(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor:
        [folder] = metrics_folders(predictor)
        before = worker_of(predictor)
        predictor.process.send_signal(signal.SIGHUP)
        wait_for_another_worker(predictor, before)
    assert not (SHARED_MEMORY / folder).exists()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH])
def test_other_signals_to_the_predictor_change_nothing(
    predictor: Service, number: signal.Signals
) -> None:
    worker = worker_of(predictor)
    for _ in range(5):
        predictor.process.send_signal(number)
        time.sleep(0.2)
        assert exchange(predictor.port, "GET", "/healthz", (b"", {}))[0] == 200
    assert worker_of(predictor) == worker


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH])
def test_signals_to_a_worker_do_not_end_it(predictor: Service, number: signal.Signals) -> None:
    worker = worker_of(predictor)
    for _ in range(5):
        os.kill(worker, number)
        time.sleep(0.2)
        assert exchange(predictor.port, "GET", "/healthz", (b"", {}))[0] == 200
    assert worker_of(predictor) == worker
