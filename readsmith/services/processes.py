"""The two services as child processes: start, watch, stop."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Literal, Self

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

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
"""Seconds until a service that ended is started again: twice as many each time."""
HEALTHY_SECONDS = 60.0
"""After running for so long, it starts again after FIRST_DELAY."""


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


def environment_of(trainer: Address, predictor: Address, store: str, state: Path) -> dict[str, str]:
    """Return the settings of both services: their folders, and where each finds the other.

    Raises ReadsmithError if one of them cannot listen there.
    """
    trainer.require_free()
    predictor.require_free()
    return {
        "READSMITH_STORE": store,
        "READSMITH_STATE": str(state),
        "READSMITH_PREDICTOR_URL": predictor.url,
        "READSMITH_TRAINER_URL": trainer.url,
        "READSMITH_OUTBOX": os.environ.get("READSMITH_OUTBOX", str(state / "outbox")),
        **trainer.environment,
        **predictor.environment,
    }


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


@dataclass
class _Service:
    """One of the services, its process, and how it has fared lately."""

    module: str
    log: Path
    process: "subprocess.Popen[bytes]"
    started_at: float
    restarts: int = 0
    delay: float = FIRST_DELAY
    """Seconds from its next end to its restart."""
    restart_at: float | None = None
    """When it is to be started again; None while it runs."""


class LocalServices:
    """The trainer's API, its worker and the predictor; leaving the context stops all three.

    One that ends is started again, and the others go on.
    report: is told of each end and restart.
    """

    def __init__(
        self, environment: dict[str, str], logs: Path, report: Callable[[str], None]
    ) -> None:
        self._environment = os.environ | environment | {"PYTHONUNBUFFERED": "1"}
        self._logs = logs
        self._report = report
        self._services: dict[str, _Service] = {}
        self._watching = Thread(target=self._watch, name="services", daemon=True)
        self._stopping = Event()
        self._failure: FailedError | None = None

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for name, module in MODULES.items():
            log = self._logs / f"{name}.log"
            process = _spawn(module, self._environment, log, "wb")
            self._services[name] = _Service(module, log, process, time.monotonic())
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask all to stop, wait, kill what is left; further signals do not interrupt it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._stopping.set()
        if self._watching.is_alive():
            self._watching.join()
        processes = [service.process for service in self._services.values()]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            _wait_or_kill(process, deadline)

    def check(self) -> None:
        """Raise ReadsmithError service_stopped if one has failed at its start.

        It would only fail again.
        """
        if self._failure is not None:
            raise self._failure

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            try:
                for name, service in self._services.items():
                    if service.restart_at is not None:
                        self._restart_if_due(name, service)
                    elif (code := service.process.poll()) is not None:
                        self._ended(name, service, code)
            except FailedError as error:
                self._failure = error
                return

    def _ended(self, name: str, service: _Service, code: int) -> None:
        now = time.monotonic()
        ran = now - service.started_at
        ended = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        failed_at_start = code > 0 and service.restarts == 0 and ran < HEALTHY_SECONDS
        if failed_at_start:
            raise FailedError(
                "service_stopped",
                f"The {name} stopped ({ended}). Its log, {service.log}, ends:",
                _last_lines(service.log),
            )
        _kill_group(service.process)  # its own children would still hold its port
        if ran >= HEALTHY_SECONDS:
            service.delay = FIRST_DELAY
        service.restart_at = now + service.delay
        self._report(
            f"The {name} stopped ({ended}) and starts again in {service.delay:.0f} s. "
            f"Its log, {service.log}, ends:\n{_last_lines(service.log)}"
        )
        service.delay = min(2 * service.delay, LONGEST_DELAY)

    def _restart_if_due(self, name: str, service: _Service) -> None:
        now = time.monotonic()
        if service.restart_at is not None and now >= service.restart_at:
            service.process = _spawn(service.module, self._environment, service.log, "ab")
            service.started_at, service.restart_at = now, None
            service.restarts += 1
            self._report(f"The {name} was started again.")

    def wait(self) -> None:
        """Return on Ctrl-C; raises ReadsmithError service_stopped."""
        with suppress(KeyboardInterrupt):
            while True:
                self.check()
                time.sleep(0.5)

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
    module: str, environment: dict[str, str], log: Path, mode: Literal["wb", "ab"]
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own, so that Ctrl-C reaches it through us only."""
    with log.open(mode) as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module],
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
        _kill_group(process)
        process.wait()


def _kill_group(leader: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (empty)"
