"""The trainer's connections: what is not HTTP, and clients that are slow or silent."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from tests.support.hostile.raw_requests import PROBLEM, exchange
from trainer.api import body_limit
from trainer.api import server as http_protocol
from trainer.api.app import create_app
from trainer.api.server import HEAD_BYTES, HttpProtocol
from trainer.settings import Settings

TIMEOUT = 30.0
HEAD_SECONDS = 1.5
PAUSE_SECONDS = 1.5
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture
def port(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of an API that is not patient."""
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", HEAD_SECONDS)
    monkeypatch.setattr(body_limit, "PAUSE_SECONDS", PAUSE_SECONDS)
    config = uvicorn.Config(
        create_app(settings),
        http=HttpProtocol,
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        log_config=None,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("sent", [b"", b"GET /hea", ALIVE[:-2]])
def test_a_connection_without_a_whole_request_is_closed(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(sent)
        assert client.recv(100) == b""


def test_a_head_that_trickles_in_has_no_more_time_than_another(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() < began + TIMEOUT:
                client.sendall(b"G")
                time.sleep(0.1)


def test_slow_requests_one_after_the_other_are_answered(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        for _ in range(3):
            for half in (ALIVE[:20], ALIVE[20:]):
                client.sendall(half)
                time.sleep(0.6 * HEAD_SECONDS)
            assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_body_that_stops_coming_is_a_problem(port: int) -> None:
    [answer] = exchange(port, POST + b"Content-Length: 99\r\n\r\n{", TIMEOUT)
    assert (answer.status, answer.headers["content-type"]) == (408, PROBLEM)
    assert b"request_timeout" in answer.body


def test_a_body_that_comes_slowly_is_taken(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        client.sendall(POST + b"Content-Length: 2\r\n\r\n")
        for byte in (b"{", b"}"):
            time.sleep(0.6 * PAUSE_SECONDS)
            client.sendall(byte)
        assert client.recv(1000).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n" + ALIVE, 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES, 431),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n" + ALIVE, 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + ALIVE, 400),
    ],
)
def test_what_is_not_http_is_a_problem_and_the_end(port: int, sent: bytes, status: int) -> None:
    [answer] = exchange(port, sent, TIMEOUT)
    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.headers["connection"] == "close"
