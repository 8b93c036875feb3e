"""The engine of the job database, from its URL: SQLite or PostgreSQL."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError

from shared.errors import ReadsmithError, SetupError

PSYCOPG = "postgresql+psycopg"
POSTGRESQL = {
    "application_name": "readsmith",
    "connect_timeout": "10",
    # A server that went without a word is noticed within seconds, not a quarter of an hour.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # Of several hosts, the one that is not a standby.
    "target_session_attrs": "read-write",
}
"""libpq's parameters, where the URL does not name them itself."""


def open_engine(url: str) -> Engine:
    """Return an engine that connects when it is used; raises ReadsmithError or OSError.

    The error is database_url_invalid. It never holds the URL, which may hold a password.
    """
    parsed = _parse(url)
    # Behind a pooler the next transaction may be another connection's: nothing stays prepared.
    options = {"prepare_threshold": None} if parsed.drivername == PSYCOPG else {}
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise _invalid(f"names {parsed.drivername}")
    try:
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=options)
    except (ArgumentError, NoSuchModuleError):
        raise _invalid(f"names {parsed.drivername}") from None
    except ImportError as error:
        raise _invalid(f"needs a driver: {error}") from None
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine, _sqlite_file(engine.url))
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise _invalid("cannot be read") from None
    if "@" in (parsed.host or ""):  # else a part of the password would be shown as the host
        raise _invalid("has more than one @")
    if parsed.drivername in ("postgresql", "postgres"):  # SQLAlchemy would take psycopg2
        parsed = parsed.set(drivername=PSYCOPG)
    if parsed.drivername == PSYCOPG:
        parsed = parsed.set(query=POSTGRESQL | dict(parsed.query))
    return parsed


def _sqlite_file(url: URL) -> Path:
    name = url.database or ":memory:"
    if name == ":memory:" or name.startswith("file:"):
        raise _invalid("names no file")
    return Path(name)


def _invalid(what: str) -> ReadsmithError:
    return SetupError(
        "database_url_invalid",
        f"The database URL {what}.",
        "READSMITH_DATABASE_URL takes sqlite:///<file> or postgresql://user:password@host/database "
        "(an @ in the password is written %40), which needs a driver: "
        "pip install 'readsmith[postgres]'.",
    )


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
