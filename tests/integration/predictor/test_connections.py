"""More connections than a service may open files: it answers, stays alive and logs little."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.services import services
from tests.support.services.memory import exchange
from tests.support.services.services import Service

MOST_LOG_BYTES = 200_000

Start = Callable[[Path], AbstractContextManager[Service]]


@contextmanager
def open_files(most: int) -> Iterator[None]:
    """Limit the open files of processes that are started in the block."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def hold_slow_heads(service: Service, number: int, seconds: float) -> None:
    """Open connections that send half a head, and keep them open."""
    with ExitStack() as held:
        for _ in range(number):
            client = held.enter_context(socket.socket())
            client.settimeout(5)
            client.connect(("127.0.0.1", service.port))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        time.sleep(seconds)


@pytest.mark.parametrize("start", [services.predictor, services.trainer])
def test_slow_heads_beyond_the_limit_of_files_end_nothing_and_fill_no_log(
    tmp_path: Path, start: Start
) -> None:
    with ExitStack() as stack:
        with open_files(400):
            service = stack.enter_context(start(tmp_path))
        hold_slow_heads(service, number=700, seconds=2)
        assert exchange(service.port, "GET", "/healthz", (b"", {}))[0] == 200
        assert service.process.poll() is None
    log = service.log.read_text()
    assert len(log) < MOST_LOG_BYTES
    assert "Exception in worker process" not in log
    assert log.count("Booting worker") <= 1


def test_the_trainer_answers_others_while_slow_heads_hold_every_connection(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with open_files(400):
            service = stack.enter_context(services.trainer(tmp_path))
        for _ in range(500):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert exchange(service.port, "GET", "/healthz", (b"", {}))[0] == 200
