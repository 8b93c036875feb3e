import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from readsmith.__main__ import app
from shared.model_store import ModelStore
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
def pictures(tmp_path: Path) -> Path:
    """A folder of eleven labelled pictures; the label of one of them is wrong."""
    folder = tmp_path / "pictures"
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
