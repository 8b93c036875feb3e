"""Repeats, waits and failures of the client, against a server that answers by a script."""

import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from readsmith.client import Client, ServiceError, connection
from readsmith.client import events as event_stream

PREDICTION = {
    "text": "ab", "confidence": 0.9, "characters": [], "model": "m", "version": 1,
    "request_id": "1", "colour": "a field of a newer predictor",
}  # fmt: skip
JOB = {
    "id": "job-1", "status": "queued", "model": "m", "request": {}, "preset": "conv",
    "metadata": {}, "attempt": 0,
    "created_at": "2026-01-02T03:04:05Z",
}  # fmt: skip
EVENT = {"at": "2026-01-02T03:04:05Z", "type": "status", "message": "Queued.", "data": {}}
BUSY = {
    "title": "Service Unavailable",
    "status": 503,
    "code": "no_version_served",
    "detail": "None yet.",
}

Step = tuple[int, dict[str, str], Any] | None
"""Status, headers and JSON of an answer, or a line that breaks without one."""


class Scripted:
    """A server that gives the answers of a script, one after the other, and keeps what it got."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        script, asked = self.script, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append((f"{self.command} {self.path}", dict(self.headers), body))
                step = script.pop(0)
                if step is None:
                    self.close_connection = True
                    return
                status, headers, value = step
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815 - the name that http.server calls

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    threading.Thread(target=scripted.server.serve_forever, daemon=True).start()
    yield scripted
    scripted.server.shutdown()
    scripted.server.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited."""
    waited: list[float] = []
    monkeypatch.setattr(connection, "sleep", waited.append)
    monkeypatch.setattr(event_stream, "sleep", waited.append)
    return waited


def test_a_busy_service_is_asked_again_after_as_long_as_it_says(
    server: Scripted, waits: list[float]
) -> None:
    server.script += [(503, {"Retry-After": "7"}, BUSY), (200, {}, PREDICTION)]

    assert Client(server.url).predict(b"image").text == "ab"

    assert waits == [7.0]
    first, second = server.asked
    assert b"image" in first[2]
    assert b"image" in second[2]


def test_waits_grow_and_differ_where_the_service_says_nothing(
    server: Scripted, waits: list[float]
) -> None:
    server.script += [(503, {}, BUSY), (503, {}, BUSY), None, (200, {}, PREDICTION)]

    assert Client(server.url).predict(b"image").text == "ab"

    assert len(waits) == 3
    for wait, longest in zip(waits, (0.5, 1.0, 2.0), strict=True):
        assert longest / 2 <= wait <= longest


def test_a_service_that_stays_busy_is_given_up_with_its_own_words(
    server: Scripted, waits: list[float]
) -> None:
    server.script += [(503, {"Retry-After": "1"}, BUSY)] * 3

    with pytest.raises(ServiceError) as raised:
        Client(server.url, retries=2).predict(b"image")

    assert (raised.value.code, raised.value.status) == ("no_version_served", 503)
    assert len(waits) == 2


def test_a_service_that_asks_for_too_long_a_wait_is_not_waited_for(
    server: Scripted, waits: list[float]
) -> None:
    server.script += [(503, {"Retry-After": "3600"}, BUSY)]

    with pytest.raises(ServiceError, match="None yet"):
        Client(server.url).predict(b"image")

    assert waits == []


def test_a_job_is_posted_again_with_the_same_key_when_the_line_breaks(
    server: Scripted, waits: list[float]
) -> None:
    server.script += [None, (202, {}, JOB)]

    assert Client(trainer_url=server.url).start_job({"model": "m"}).id == "job-1"

    first, second = (headers["Idempotency-Key"] for _, headers, _ in server.asked)
    assert first == second
    assert len(waits) == 1


def test_what_would_go_twice_is_sent_once(server: Scripted, waits: list[float]) -> None:
    server.script += [(503, {}, BUSY), None]
    client = Client(trainer_url=server.url)

    with pytest.raises(ServiceError, match="None yet"):
        client.rollback("m")
    with pytest.raises(ServiceError, match="Nothing answers"):
        client.rollback("m")

    assert waits == []
    assert len(server.asked) == 2


def test_another_refusal_is_not_repeated(server: Scripted, waits: list[float]) -> None:
    refusal = {"title": "Bad Request", "status": 400, "code": "request_invalid", "detail": "No."}
    server.script += [(400, {}, {**refusal, "hint": "Do.", "field": "top_k"})]

    with pytest.raises(ServiceError) as raised:
        Client(server.url).predict(b"image")

    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.code, again.message, again.hint) == ("request_invalid", "No.", "Do.")
    assert (again.status, again.field) == (400, "top_k")
    assert waits == []


@pytest.mark.parametrize("body", [b"<html>", {"hello": "world"}])
def test_another_kind_of_server_is_told_as_such(server: Scripted, body: Any) -> None:
    server.script += [(200, {}, body), (404, {}, body), (200, {}, body)]
    client = Client(server.url, server.url)

    for ask in (client.models, client.jobs, lambda: next(client.events("job-1"))):
        with pytest.raises(ServiceError, match="is not Readsmith") as raised:
            ask()
        assert raised.value.code == "not_readsmith"


def test_a_predictor_that_cannot_read_yet_is_not_ready(server: Scripted) -> None:
    problem = {"Content-Type": "application/problem+json"}
    server.script += [(503, {}, {"ready": False, "pid": 1, "models": {}}), (503, problem, BUSY)]
    client = Client(server.url)

    assert not client.ready().ready
    with pytest.raises(ServiceError, match="None yet"):
        client.ready()


def test_half_an_event_is_taken_up_again(server: Scripted, waits: list[float]) -> None:
    stream = {"Content-Type": "text/event-stream"}
    first, second = (
        f"id: {number}\nevent: status\ndata: {json.dumps({**EVENT, 'id': number})}\n\n".encode()
        for number in (1, 2)
    )
    server.script += [(200, stream, first + second[:40]), (200, stream, second), (204, {}, b"")]

    events = list(Client(trainer_url=server.url).events("job-1"))

    assert [event.id for event in events] == [1, 2]
    assert [headers["Last-Event-ID"] for _, headers, _ in server.asked] == ["0", "1", "2"]
    assert len(waits) == 2


def test_whoever_watches_a_silent_job_may_stop(server: Scripted, waits: list[float]) -> None:
    stream = {"Content-Type": "text/event-stream"}
    server.script += [(200, stream, b": still here\n\n"), (204, {}, b"")]

    def watch() -> None:
        raise RuntimeError("The worker has stopped.")

    with pytest.raises(RuntimeError, match="has stopped"):
        list(Client(trainer_url=server.url).events("job-1", watch=watch))


def test_fields_and_codes_of_a_newer_service_are_taken(server: Scripted) -> None:
    error = {"code": "of_tomorrow", "message": "No.", "hint": "", "severity": 3}
    server.script += [
        (200, {}, {**JOB, "colour": "blue", "error": error}),
        (400, {}, {"title": "T", "status": 400, "detail": "No.", "code": "of_tomorrow", "x": 1}),
    ]
    client = Client(trainer_url=server.url)

    assert client.job("job-1").as_sent() == {**JOB, "colour": "blue", "error": error}
    with pytest.raises(ServiceError) as raised:
        client.job("job-1")
    assert raised.value.code == "of_tomorrow"


def test_where_nothing_listens_it_is_said_so(server: Scripted, waits: list[float]) -> None:
    server.server.server_close()

    with pytest.raises(ServiceError) as raised:
        Client(server.url, retries=2).models()

    assert (raised.value.code, raised.value.status) == ("unreachable", None)
    assert len(waits) == 2


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", ""])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ServiceError, match="is no address of a service"):
        Client(url)


def test_the_client_comes_without_the_services_and_the_command_line() -> None:
    code = (
        "import sys, readsmith.client; "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('trainer', 'predictor', 'tensorflow', 'onnxruntime', 'numpy', 'typer', 'rich')])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_a_key_is_sent_with_every_request_in_place_of_what_netrc_says(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.script += [(200, {}, PREDICTION), (200, {}, PREDICTION)]
    key = f"rs_01234567_{'A' * 43}"

    client = Client(server.url, api_key=key)
    client.predict(b"image")
    client._predictor._session.trust_env = True  # as for a service on another machine
    client.predict(b"image")

    assert [asked[1]["Authorization"] for asked in server.asked] == [f"Bearer {key}"] * 2


@pytest.mark.parametrize("key", ["", "rs_1_secret-and-short", "rs_01234567_secret\r\nX-Other: 1"])
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ServiceError) as raised:
        Client(api_key=key)

    assert raised.value.code == "bad_api_key"
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"
