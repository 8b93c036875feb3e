"""Several predictors: behind the gateway none is missed, and what they count adds up."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from gunicorn.config import Config
from gunicorn.http.wsgi import Response

from predictor.server.arbiter import Port
from predictor.server.patches import write_whole
from shared.store.store import ModelStore
from tests.support.api.metrics import sample
from tests.support.models.bundles import png, publish
from tests.support.services import services
from tests.support.services.predictor import TIMEOUT, ask, clients_of, environment, eventually
from tests.support.services.services import Service, free_port, needs_nginx


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a published model."""
    publish(ModelStore(tmp_path / "models"), tmp_path / "build")
    return tmp_path


@contextmanager
def replica(folder: Path, name: str, port: int | None = None, **settings: str) -> Iterator[Service]:
    """Run one of several predictors of the same store; listening, it reads."""
    settings = {"READSMITH_STORE": str(folder / "models"), **settings}
    with services.predictor(folder / name, port, **settings) as running:
        yield running


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(service: Service) -> None:
    """End every process of a service without notice, as a machine that fails does."""
    for pid in (service.process.pid, *children(service.process.pid)):
        os.kill(pid, signal.SIGKILL)
    service.process.wait(TIMEOUT)
    eventually(lambda: refuses(service.port))


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_bound_lets_nobody_in_until_it_is_opened(host: str) -> None:
    with Port.bound(host, free_port()) as port:
        address = port.getsockname()[:2]
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=TIMEOUT)
            port.listen()
            socket.create_connection(address, timeout=TIMEOUT).close()
            with pytest.raises(OSError, match="in use"):
                Port.bound(*address)
            port.refuse()


@needs_nginx
def test_replicas_that_are_killed_or_restarted_in_turn_cost_no_request(folder: Path) -> None:
    with ExitStack() as stack:

        def start(name: str, port: int | None = None) -> Service:
            return stack.enter_context(replica(folder, name, port))

        a, b = start("a"), start("b")
        gateway = stack.enter_context(services.gateway(folder / "nginx", a, a, b))
        with clients_of(f"http://127.0.0.1:{gateway.predictor}", count=4) as clients:
            kill(a)
            a = start("a again", a.port)
            for each in (b, a):
                each.process.terminate()
                assert each.process.wait(TIMEOUT) == 0
                start(f"in place of {each.port}", each.port)
            for port in (a.port, b.port):
                wait_for_predictions(f"http://127.0.0.1:{port}")
        assert [failure for client in clients for failure in client.failures] == []


def wait_for_predictions(url: str) -> None:
    eventually(lambda: read_by(url) > 0)


def read_by(url: str) -> float:
    page = requests.get(f"{url}/metrics", timeout=TIMEOUT).text
    return sample(page, "readsmith_predictions_total")


def test_a_replica_that_is_told_to_end_refuses_newcomers_and_finishes_what_it_has(
    folder: Path,
) -> None:
    body = png("cab")
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with (
        replica(folder, "a") as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=TIMEOUT) as client,
    ):
        client.sendall(head.encode() + body[:50])
        time.sleep(0.5)  # a worker has it
        running.process.terminate()
        eventually(lambda: refuses(running.port))
        client.sendall(body[50:])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"text":"cab"' in answer
        assert running.process.wait(TIMEOUT) == 0


def test_a_replica_that_starts_refuses_until_it_can_read(folder: Path) -> None:
    port = services.free_port()
    command = [sys.executable, "-m", "predictor"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment(folder / "models", port) | {"READSMITH_PREDICTOR_WORKERS": "1"},
            stderr=log,
        )
    try:
        eventually(lambda: bool(children(process.pid)))
        [worker] = children(process.pid)
        os.kill(worker, signal.SIGSTOP)  # so much of the start is still to come
        time.sleep(0.5)
        assert refuses(port)
        os.kill(worker, signal.SIGCONT)
        eventually(lambda: not refuses(port))
        assert ask(f"http://127.0.0.1:{port}", "cab").json()["text"] == "cab"
    finally:
        process.terminate()
        assert process.wait(TIMEOUT) == 0


def test_a_replica_that_is_told_to_end_while_it_starts_ends(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "predictor"],
        env=environment(folder / "models", services.free_port()),
        stderr=subprocess.PIPE,
    )
    eventually(lambda: bool(children(process.pid)))
    process.terminate()
    _, log = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert b"Traceback" not in log


def test_what_replicas_count_adds_up(folder: Path) -> None:
    """As `sum` over the pages of all replicas does in Prometheus."""
    sent = {"a": 5, "b": 12}
    with (
        replica(folder, "a") as a,
        replica(folder, "b", READSMITH_PREDICTOR_WORKERS="2") as b,
    ):
        urls = {"a": a.url, "b": b.url}
        for name, count in sent.items():
            for _ in range(count):
                assert ask(urls[name], "cab").json()["text"] == "cab"
        assert requests.post(f"{b.url}/predict", data=b"", timeout=TIMEOUT).status_code == 415
        pages = [requests.get(f"{url}/metrics", timeout=TIMEOUT).text for url in urls.values()]

    def total(name: str, **labels: str) -> float:
        return sum(sample(page, name, **labels) for page in pages)

    assert total("readsmith_predictions_total", model="default", version="1") == 17
    assert total("readsmith_predictor_requests_total", route="/predict", status="200") == 17
    assert total("readsmith_predictor_errors_total") == 1
    seconds = "readsmith_predictor_request_seconds"
    assert total(f"{seconds}_count", route="/predict") == 18
    assert total(f"{seconds}_bucket", route="/predict", le="+Inf") == 18
    confidences = [total("readsmith_confidence_bucket", le=le) for le in ("0.5", "0.9", "+Inf")]
    assert confidences == sorted(confidences)
    assert confidences[-1] == total("readsmith_confidence_count") == 17


def test_an_answer_is_sent_in_one_piece() -> None:
    """A process that is killed between two pieces would leave half an answer."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        response = Response(
            SimpleNamespace(version=(1, 1), method="GET", should_close=lambda: True), ours, Config()
        )
        response.start_response("200 OK", [("Content-Length", "4")])
        write_whole(response, b"read")
        assert theirs.recv(65536).endswith(b"\r\n\r\nread")
