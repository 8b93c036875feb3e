"""Creates the job database's engine from its URL: SQLite or PostgreSQL."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError

from shared.errors import ReadsmithError, SetupError

PSYCOPG = "postgresql+psycopg"
POSTGRESQL = {
    "application_name": "readsmith",
    "connect_timeout": "10",
    # libpq waits a quarter of an hour for a server that vanished; so it takes 15 seconds.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # Of several hosts, the primary.
    "target_session_attrs": "read-write",
}
"""libpq's parameters; those in the URL take precedence."""


def open_engine(url: str, *, create: bool = False) -> Engine:
    """Return an engine that connects when it is used.

    create: whether to make the file of a SQLite database that is missing. Raises OSError or
    ReadsmithError database_url_invalid, which never quotes the URL: it may contain a password.
    """
    parsed = _parse(url)
    # Behind PgBouncer the next transaction may get another connection to the server: jobs failed
    # with "prepared statement does not exist".
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
        path = _sqlite_file(engine.url)
        if create:
            _create_sqlite(path)
        _allow_concurrent_use(engine)
        _require_same_file(engine, path)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is not a number
        raise _invalid("cannot be parsed") from None
    # An unescaped @ in the password makes its rest a part of the host, which errors quote.
    if "@" in (parsed.host or ""):
        raise _invalid("has more than one @")
    if parsed.drivername in ("postgresql", "postgres"):  # SQLAlchemy's default is psycopg2
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
        "READSMITH_DATABASE_URL is sqlite:///<file> or postgresql://user:password@host/database "
        "(write an @ in the password as %40), which needs a driver: "
        "pip install 'readsmith[postgres]'.",
    )


BUSY_SECONDS = 10
"""How long a transaction waits for another process's write."""


def _create_sqlite(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch()


def _allow_concurrent_use(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin decides, not the driver
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and then writes fails at once with SQLITE_BUSY, whatever
        # the timeout, if another has written in between.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _require_same_file(engine: Engine, path: Path) -> None:
    """Never write to a file that was moved away, nor create a new one in its place.

    SQLite would do both, and the jobs in it would be lost.
    """

    @event.listens_for(engine, "do_connect")
    def _must_be_there(
        dialect: Any, record: Any, arguments: list[Any], named: dict[str, Any]
    ) -> None:
        if not path.exists():
            raise sqlite3.OperationalError(f"{path.name} is gone")
        # It may be moved away after this look: mode=rw makes no file.
        arguments[0] = f"file:{quote(str(path.absolute()))}?mode=rw"
        named["uri"] = True

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, record: Any, proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError  # makes the pool open a new connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
