"""The services as they run in earnest, and the gateway before them."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TIMEOUT = 120.0
"""Seconds after which a test gives up; far more than a busy machine needs."""

needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="there is no nginx here (Debian: apt install nginx)"
)


@dataclass(frozen=True)
class Service:
    """A running process that listens."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Gateway:
    """A running nginx, before both services."""

    trainer: int
    """The port that leads to the trainer."""
    predictor: int
    corrections: int
    """The port that takes corrections to the trainer, from the predictor."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def trainer(folder: Path, port: int | None = None, **settings: str) -> Iterator[Service]:
    """Run the trainer's API, without a worker, on the folders models and state in this one.

    On a free port unless told which.
    """
    port = port or free_port()
    environment = {
        "READSMITH_STORE": str(folder / "models"),
        "READSMITH_STATE": str(folder / "state"),
        "READSMITH_TRAINER_PORT": str(port),
        **settings,
    }
    with _running(
        [sys.executable, "-m", "trainer"], port, folder / "trainer.log", environment
    ) as it:
        yield it


@contextmanager
def predictor(folder: Path, port: int | None = None, **settings: str) -> Iterator[Service]:
    """Run the predictor on the folder models in this one, on a free port unless told which."""
    port = port or free_port()
    environment = {
        "READSMITH_STORE": str(folder / "models"),
        "READSMITH_PREDICTOR_PORT": str(port),
        "READSMITH_PREDICTOR_WORKERS": "1",
        "READSMITH_POLL_SECONDS": "0.2",
        **settings,
    }
    command = [sys.executable, "-m", "predictor"]
    with _running(command, port, folder / "predictor.log", environment) as it:
        yield it


@contextmanager
def gateway(
    folder: Path, trainer: Service, *predictors: Service, main: str = "nginx.conf"
) -> Iterator[Gateway]:
    """Run nginx with a file of gateway/, but for ports, addresses and folders."""
    folder.mkdir()
    ports = Gateway(free_port(), free_port(), free_port())
    put = {
        "listen 8000;": f"listen 127.0.0.1:{ports.trainer};",
        "listen 8001;": f"listen 127.0.0.1:{ports.corrections};",
        "listen 8080;": f"listen 127.0.0.1:{ports.predictor};",
        "pid /var/lib/nginx/nginx.pid;": f"pid {folder}/pid;{_user()}",
        "http {": f"http {{\n    {_folders(folder)}",
    }
    config = folder / main
    for file in (ROOT / "gateway").glob("*.conf"):
        text = file.read_text(encoding="utf-8")
        for found, changed in put.items():
            text = text.replace(found, changed)
        (folder / file.name).write_text(text, encoding="utf-8")
    (folder / "services.conf").write_text(_addresses(trainer, predictors), encoding="utf-8")
    command = ["nginx", "-e", "stderr", "-c", str(config)]
    first = ports.trainer if main == "nginx.training.conf" else ports.predictor
    with _running(command, first, folder / "log", {}):
        yield ports


def _addresses(trainer: Service, predictors: Sequence[Service]) -> str:
    """Stand in for gateway/services.conf without a name server: every replica is always known."""
    replicas = " ".join(f"server 127.0.0.1:{each.port} max_fails=0;" for each in predictors)
    return f"""
        upstream replicas {{ {replicas} }}
        map "" $trainer {{ default 127.0.0.1:{trainer.port}; }}
        map "" $predictor {{ default replicas; }}
    """


def _user() -> str:
    return " user root;" if os.geteuid() == 0 else ""  # else its workers may not enter the folder


def _folders(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


@contextmanager
def _running(
    command: Sequence[str], port: int, log: Path, environment: dict[str, str]
) -> Iterator[Service]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("READSMITH_")}
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Service(process, port, log)
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
