"""How a SQLite file is opened so that several processes can share it."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError

BUSY_SECONDS = 10
"""How long a transaction waits for another process's write."""


def prepare_sqlite(engine: Engine, path: Path) -> None:
    """Set an engine up for its file, which is made if it is not there; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch()
    _share(engine)
    _stay_with(engine, path)


def _share(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin decides, not the driver
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail as busy at once.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _stay_with(engine: Engine, path: Path) -> None:
    """Never write to a file that was moved away, nor begin a new one in its place.

    SQLite would do both, and the jobs in there would be lost.
    """

    @event.listens_for(engine, "do_connect")
    def _must_be_there(*_: Any) -> None:
        if not path.exists():
            raise sqlite3.OperationalError(f"{path.name} is gone")

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, record: Any, proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError  # the pool connects anew


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
