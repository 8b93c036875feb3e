"""A real PostgreSQL for tests, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
MISSING = BINARIES is None or find_spec("psycopg") is None
USER = "postgres" if os.getuid() == 0 else None
"""PostgreSQL refuses to run as root."""


class Server:
    """A server on a socket of its own; `url` is for SQLAlchemy."""

    def __init__(self, folder: Path) -> None:
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._data, self._socket = folder / "data", folder
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync", f"{self._data}")

    def start(self) -> None:
        """Start and wait until it answers."""
        options = f"-k {self._socket} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", f"{self._data}", "-o", options)

    def stop(self) -> None:
        """Stop at once; transactions under way are rolled back."""
        self._run("pg_ctl", "stop", "-m", "fast", "-D", f"{self._data}")

    def _run(self, program: str, *arguments: str) -> None:
        assert BINARIES is not None
        with (self._socket / "log").open("ab") as log:
            subprocess.run(
                [BINARIES / program, *arguments], user=USER, stdout=log, stderr=log, check=True
            )


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server that is gone in the end, its data too."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if USER is not None:
            shutil.chown(folder, USER)
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
