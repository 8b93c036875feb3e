"""Real S3-compatible servers for tests, and a proxy before one that fails in every way.

Run as a program it is such a server: `python -m tests.support.services.object_storage PORT [HOST]`.
"""

import logging
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from tests.support.paths import ROOT

KEY, SECRET = "test-access-key-1", "test-secret-key-1"
BUCKET = "bucket"
TIMEOUT = 60.0


def serve(port: int, host: str = "127.0.0.1") -> None:
    """Serve a storage in memory that holds to conditions; one request after the other.

    moto looks and writes without a lock in between, which two writers at once would notice.
    """
    # heavy, and of no use to those who only ask
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import run_simple  # noqa: PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    storage: Any = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def one_at_a_time(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with turn:
            return list(storage(environ, start))

    run_simple(host, port, one_at_a_time, threaded=True)


@contextmanager
def object_storage() -> Iterator[str]:
    """Run a server with an empty bucket; gives its address."""
    with _running([sys.executable, "-m", "tests.support.services.object_storage"]) as url:
        requests.put(f"{url}/{BUCKET}", timeout=TIMEOUT).raise_for_status()
        yield url


@contextmanager
def storage_without_conditions(folder: Path) -> Iterator[str]:
    """Run `rclone serve s3` on a folder; it takes every write."""
    (folder / BUCKET).mkdir(parents=True)
    program = Path(sys.executable).with_name("rclone")
    command = [str(program), "serve", "s3", str(folder), "--auth-key", f"{KEY},{SECRET}"]
    with _running([*command, "--addr"], address="127.0.0.1:") as url:
        yield url


def variables(url: str) -> dict[str, str]:
    """Return what botocore reads."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def empty(url: str) -> None:
    """Delete everything in the bucket of object_storage."""
    requests.post(f"{url}/moto-api/reset", timeout=TIMEOUT).raise_for_status()
    requests.put(f"{url}/{BUCKET}", timeout=TIMEOUT).raise_for_status()


class Proxy:
    """A proxy before a server, which works until a fault is chosen.

    gone: connections are reset. silent: they are taken, and nothing comes. 503: that is the
    answer. cut: answers with a body end within it. slow: answers come in small pieces. unheard:
    requests are done, and the answer is lost; a number of requests may be given for each.
    """

    def __init__(self, url: str) -> None:
        self._target = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault = ""
        self.left = 0
        """How many requests fail yet; -1 for all."""
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, fault: str, times: int = -1) -> None:
        """Fail so from now on, or so many times."""
        self.fault, self.left = fault, times

    def work(self) -> None:
        """Fail no more."""
        self.fault = ""

    def close(self) -> None:
        """Accept nothing more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        fault = self.fault if self.left else ""
        self.left -= 1 if fault and self.left > 0 else 0
        with client, suppress(OSError):
            if fault == "gone":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault == "silent":
                time.sleep(TIMEOUT)
            elif fault == "503":
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
            else:
                self._forward(client, fault)

    def _forward(self, client: socket.socket, fault: str) -> None:
        with socket.create_connection(self._target) as server:
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            sent = 0
            while data := server.recv(1000):
                if fault == "unheard" and not data.startswith(b"HTTP/1.1 100"):  # Continue
                    continue
                if fault == "slow":
                    time.sleep(0.02)
                client.sendall(data)
                sent += len(data)
                if fault == "cut" and sent >= 1500:
                    break
            client.shutdown(socket.SHUT_RDWR)  # to close it is not enough while _copy waits


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


@contextmanager
def _running(command: list[str], address: str = "") -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*command, f"{address}{port}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + TIMEOUT
    try:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, command
            assert time.monotonic() < deadline, command
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
