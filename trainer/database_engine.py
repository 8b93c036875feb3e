"""The engine of the job database, from its URL: SQLite or PostgreSQL."""

from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from shared.errors import ReadsmithError
from trainer.sqlite import prepare_sqlite

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
    return ReadsmithError(
        "database_url_invalid",
        f"The database URL {what}.",
        "READSMITH_DATABASE_URL takes sqlite:///<file> or postgresql://user:password@host/database "
        "(an @ in the password is written %40), which needs a driver: "
        "pip install 'readsmith[postgres]'.",
    )
