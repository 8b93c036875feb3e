"""The tables, and all that differs between SQLite and PostgreSQL."""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shared.errors import ReadsmithError

BUSY_SECONDS = 10
"""How long SQLite waits for another process's write."""

tables = MetaData()

jobs = Table(
    "jobs",
    tables,
    Column("number", Integer, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("idempotency_key", String(255), unique=True),
    Column("request", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("stage", String(16)),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("attempt", Integer, nullable=False, default=0),
    Column("losses", Integer, nullable=False, default=0),
    Column("lease_until", Double),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("publishing", Boolean, nullable=False, default=False),
    Column("progress", JSON(none_as_null=True)),
    Column("dataset", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Index("jobs_by_status", "status", "number"),
)

events = Table(
    "events",
    tables,
    Column("id", Integer, primary_key=True),
    Column("job_id", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("type", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index("events_of_job", "job_id", "id"),
)

datasets = Table(
    "datasets",
    tables,
    Column("id", String(40), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
)

workers = Table(
    "workers",
    tables,
    Column("id", String(128), primary_key=True),
    Column("seen_at", Double, nullable=False),
)


class now(FunctionElement[float]):  # noqa: N801 - reads like SQLAlchemy's own functions
    """Seconds since 1970 by the database's clock, the one clock that all processes share."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


class Database:
    """Transactions on the job database; the tables are made on first use.

    Raises ReadsmithError database_url_invalid or database_unavailable.
    """

    def __init__(self, url: str) -> None:
        try:
            engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise _url_invalid(f"cannot be used: {error}") from None
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        elif engine.dialect.name != "postgresql":
            raise _url_invalid(f"names {engine.dialect.name}")
        self.reading = engine
        self.writing = engine.execution_options(writing=True)
        try:
            with self.writing.begin() as connection:
                _lock_schema(connection)
                tables.create_all(connection)
        except DBAPIError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.reading.dispose()


def unavailable(error: DBAPIError) -> ReadsmithError:
    """Put the driver's complaint into words for a user, without the statement."""
    return ReadsmithError(
        "database_unavailable",
        f"The job database cannot be used: {str(error.orig).splitlines()[0]}.",
        "See that it runs, that its disk has room, and that READSMITH_DATABASE_URL is right.",
    )


def _prepare_sqlite(engine: Engine) -> None:
    if engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)

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


def _lock_schema(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7323461)"))


def _url_invalid(what: str) -> ReadsmithError:
    return ReadsmithError(
        "database_url_invalid",
        f"The database URL {what}.",
        "READSMITH_DATABASE_URL takes sqlite:///<file> or postgresql://…, its driver installed.",
    )
