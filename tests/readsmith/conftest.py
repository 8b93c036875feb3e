import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from readsmith.__main__ import app
from readsmith.client.connection import Connection
from shared.store.store import ModelStore
from tests.bundles import png, publish

Run = Callable[..., Result]
Answer = Callable[[str, str, bytes], tuple[int, Any]]
"""Method, path and body of a request → status and JSON."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that holds two versions of the model `stripes`."""
    folder = tmp_path / "store"
    for _ in range(2):
        publish(ModelStore(folder), tmp_path / "build", model="stripes")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of eleven labelled images; the label of one of them is wrong."""
    folder = tmp_path / "images"
    folder.mkdir()
    texts = ("a", "b", "c", "aa", "ab", "ac", "ba", "bb", "bc", "ca")
    for text in texts:
        (folder / f"{text}.png").write_bytes(png(text))
    (folder / "cc.png").write_bytes(png("cb"))
    return folder


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve JSON answers on a free port; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, value = answer(self.command, self.path, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(module: str, port: int, settings: dict[str, str]) -> Iterator[str]:
    """Run a service as it is run in earnest; yields its URL once it answers."""
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", module], env=os.environ | settings) as process:
        try:
            connection = Connection(url, retries=0)
            while not connection.answers():
                assert process.poll() is None, f"{module} ended before it answered"
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


@contextmanager
def running_predictor(store: Path, **more: str) -> Iterator[str]:
    port = free_port()
    settings = {
        "READSMITH_STORE": str(store),
        "READSMITH_PREDICTOR_PORT": str(port),
        "READSMITH_PREDICTOR_WORKERS": "1",
        "READSMITH_POLL_SECONDS": "0.2",
        **more,
    }
    with running("predictor", port, settings) as url:
        yield url


@contextmanager
def running_trainer(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run the trainer's API on the folders models and state in this one, without a worker."""
    port = port or free_port()
    settings = {
        "READSMITH_STORE": str(folder / "models"),
        "READSMITH_STATE": str(folder / "state"),
        "READSMITH_TRAINER_PORT": str(port),
    }
    with running("trainer", port, settings) as url:
        yield url
