"""The two services as child processes: start, watch, stop."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from readsmith.client.connection import ServiceConnection
from shared.child_process import die_with_parent
from shared.errors import DiskFullError, FailedError, SetupError
from shared.store.location import is_object_storage

MODULES = {"trainer": "trainer", "worker": "trainer.workers.worker", "predictor": "predictor"}
START_SECONDS = 60.0
STOP_SECONDS = 15.0
"""After this a service that does not stop is killed."""
FREE_BYTES = 1_000_000_000
"""Room that jobs and models need at least."""
LOG_LINES = 8


@dataclass(frozen=True)
class Address:
    """Where a service listens, and the environment variables that say so."""

    service: str
    host: str
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the service."""
        prefix = f"READSMITH_{self.service.upper()}"
        return {f"{prefix}_HOST": self.host, f"{prefix}_PORT": str(self.port)}

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def require_free(self) -> None:
        """Raise ReadsmithError port_taken or address_unusable if nothing can listen there."""
        option = f"--{self.service}-port"
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise SetupError(
                        "port_taken",
                        f"Port {self.port} is taken by another program.",
                        f"Choose another for the {self.service}: readsmith up {option} "
                        f"{self.port + 1}, or READSMITH_{self.service.upper()}_PORT="
                        f"{self.port + 1} make run",
                    ) from error
                raise SetupError(
                    "address_unavailable",
                    f"The {self.service} cannot listen on {self.host}:{self.port}: "
                    f"{error.strerror}.",
                    f"Choose other --{self.service}-host and {option}.",
                ) from error


def require_room(folder: Path) -> None:
    """Raise ReadsmithError disk_full if there is too little room where a folder will be."""
    free = shutil.disk_usage(existing_part(folder)).free
    if free < FREE_BYTES:
        raise DiskFullError(
            "disk_full",
            f"Only {free / 1e9:.1f} GB are free for {folder}; 1 GB is needed.",
            "Make room, or choose another folder with --state and --store.",
        )


def require_rooms(state: Path, store: str) -> None:
    """Raise ReadsmithError disk_full if there is too little room for jobs or for models."""
    require_room(state)
    if not is_object_storage(store):
        require_room(Path(store))


def existing_part(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there already."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


class LocalServices:
    """The trainer's API, its worker and the predictor; leaving the context stops all three."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment = os.environ | environment | {"PYTHONUNBUFFERED": "1"}
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for name, module in MODULES.items():
            with self._log(name).open("wb") as output:
                command = [sys.executable, "-m", module]
                self._children[name] = _spawn(command, self._environment, output)
        return self

    def __exit__(self, *_: object) -> None:
        """Ask all to stop, wait, kill what is left; further signals do not interrupt it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for process in self._children.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._children.values():
            _wait_or_kill(process, deadline)

    def check(self) -> None:
        """Raise ReadsmithError service_stopped if one of them has ended by itself."""
        for name, process in self._children.items():
            if (code := process.poll()) is not None:
                ended = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
                raise FailedError(
                    "service_stopped",
                    f"The {name} stopped ({ended}). Its log, {self._log(name)}, ends:",
                    _last_lines(self._log(name)),
                )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def wait(self) -> None:
        """Return on Ctrl-C; raises ReadsmithError service_stopped."""
        with suppress(KeyboardInterrupt):
            while True:
                self.check()
                time.sleep(1)

    def wait_until_ready(self, *urls: str) -> None:
        """Return once all of these answer; raises ReadsmithError service_stopped or not_ready."""
        deadline = time.monotonic() + START_SECONDS
        while not all(ServiceConnection(url, retries=0).answers() for url in urls):
            self.check()
            if time.monotonic() > deadline:
                raise FailedError(
                    "not_ready",
                    f"The services do not answer after {START_SECONDS:.0f} s.",
                    f"Their logs are in {self._logs}.",
                )
            time.sleep(0.2)


def _spawn(
    command: Sequence[str], environment: dict[str, str], output: BinaryIO
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches it through us only."""
    return subprocess.Popen(  # noqa: S603
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509
    )


def _wait_or_kill(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (empty)"
