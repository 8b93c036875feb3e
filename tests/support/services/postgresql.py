"""A real PostgreSQL for tests, where its programs are installed."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.services.workers import children_of

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
USER = "postgres" if os.getuid() == 0 else None
"""PostgreSQL refuses to run as root."""

needs_postgresql = pytest.mark.skipif(
    BINARIES is None, reason="there is no PostgreSQL here (Debian: apt install postgresql)"
)


class Server:
    """A server on a socket of its own; `url` is for SQLAlchemy.

    It believes everybody but a user named stranger, who needs a password.
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self.durable = durable
        self.url = self.url_of("postgres")
        self._numbers = itertools.count(1)
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync", f"{self._data}")
        access = self._data / "pg_hba.conf"
        access.write_text(f"local all stranger scram-sha-256\n{access.read_text()}")

    def start(self) -> None:
        """Start and wait until it answers."""
        flush = "on" if self.durable else "off"
        options = f"-k {self.folder} -c listen_addresses= -c fsync={flush}"
        self._run("pg_ctl", "start", "-w", "-D", f"{self._data}", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop at once; transactions under way are rolled back."""
        self._run("pg_ctl", "stop", "-m", mode, "-D", f"{self._data}")

    def pause(self) -> None:
        """Stop every process of the server where it is; what it is asked waits."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "--host", f"{self.folder}", "--username=postgres", name)
        return self.url_of(name)

    def url_of(self, database: str, user: str = "postgres") -> str:
        """Return the URL of a database, whether there is one or not."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def processes(self) -> list[int]:
        """The ids of its processes, its leader's first."""
        leader = int((self._data / "postmaster.pid").read_text().split()[0])
        return [leader, *children_of(leader)]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes:
            os.kill(pid, number)

    def _run(self, program: str, *arguments: str) -> None:
        assert BINARIES is not None
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                [BINARIES / program, *arguments],
                user=USER,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                check=True,
            )


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server that is gone in the end, its data too; durable: it waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if USER is not None:
            shutil.chown(folder, USER)
        server = Server(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)
