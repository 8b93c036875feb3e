"""The servers that are measured: starts, awaits, inspects and stops them."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.record import ROOT
from benchmarks.serving.client import ask_one_by_one, message

START_TIMEOUT = 120.0
"""Seconds until a server must answer; the tutorial's imports TensorFlow."""


@dataclass(frozen=True)
class Worker:
    """A server's process, with the kernel's accounts of it."""

    pid: int

    def memory(self) -> tuple[int, int]:
        """Return the resident and the proportional size in bytes (smaps_rollup)."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        kilobytes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        return 1024 * kilobytes["Rss:"], 1024 * kilobytes["Pss:"]

    def cpu_seconds(self) -> float:
        """Return the CPU time so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Service:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    def wait_until_it_predicts(self, image: bytes, text: str) -> None:
        """Send requests until one predicts this text; raises BenchmarkError."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            [answer] = asyncio.run(ask_one_by_one(self.port, message(image), 1))
            if answer.status == 200 and json.loads(answer.body)["text"] == text:
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(
                    "server_failed",
                    f"{self.process.args!r} does not predict {text}.",
                    f"Its last answer: {answer.status} {answer.body[:300]!r}.",
                )
            time.sleep(0.002)

    def workers(self) -> list[Worker]:
        """Return the server's children."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [Worker(int(child)) for child in children.split()]


@contextmanager
def predictor(store: Path, *, module: str = "predictor", **settings: object) -> Iterator[Service]:
    """Run the predictor, or a module with its settings, on a store; settings by their names."""
    port = free_port()
    environment = {
        "READSMITH_STORE": str(store),
        "READSMITH_PREDICTOR_PORT": str(port),
        **{f"READSMITH_{name.upper()}": str(value) for name, value in settings.items()},
    }
    with running([module], port, environment) as service:
        yield service


@contextmanager
def tutorial_server(bundle: Path) -> Iterator[Service]:
    """Run the tutorial's server on a bundle's Keras model."""
    port = free_port()
    arguments = ["benchmarks.serving.tutorial_server", str(bundle), str(port)]
    with running(arguments, port, {}) as service:
        yield service


@contextmanager
def running(arguments: Sequence[str], port: int, environment: dict[str, str]) -> Iterator[Service]:
    """Run `python -m` with these arguments in a clean environment until the block ends."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("READSMITH_")}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Service(process, port)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
