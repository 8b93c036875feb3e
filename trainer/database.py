"""The tables, and the transactions on them, in SQLite or PostgreSQL."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shared.errors import ReadsmithError
from trainer import schema
from trainer.sqlite import prepare_sqlite

PATIENCE_SECONDS = 120
"""How long a run waits for a database that cannot be used."""
RETRY_SECONDS = 1

Result = TypeVar("Result")

log = logging.getLogger("trainer.database")

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

corrections = Table(
    "corrections",
    tables,
    Column("number", Integer, primary_key=True),
    Column("id", String(50), nullable=False, unique=True),
    Column("model", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("ending", String(8), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("read", Text),
    Column("confidence", Double),
    Column("version", Integer),
    Column("source", String(64)),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("model", "sha256"),
    Index("corrections_of_model", "model", "number"),
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
    """Transactions on the job database, which is migrated to this program's tables first.

    migrate: False for the child of a process that has done so. Raises ReadsmithError
    (database_url_invalid, database_unavailable, database_newer) or OSError.
    """

    def __init__(self, url: str, *, migrate: bool = True) -> None:
        try:
            engine = create_engine(_with_driver(url), pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise _url_invalid(f"cannot be used: {error}") from None
        if engine.dialect.name == "sqlite":
            prepare_sqlite(engine, _sqlite_file(engine.url))
        elif engine.dialect.name != "postgresql":
            raise _url_invalid(f"names {engine.dialect.name}")
        self.reading = engine
        self.writing = engine.execution_options(writing=True)
        if migrate:
            try:
                self._migrate()
            except DBAPIError as error:
                raise unavailable(error) from error

    def _migrate(self) -> None:
        """Bring the tables up to date; where they are, no lock of another delays the start."""
        with self.reading.begin() as connection:
            if schema.is_current(connection):
                return
        with self.writing.begin() as connection:
            take_turns(connection)
            if not schema.is_current(connection):  # another service may have been first
                schema.migrate(connection)

    def close(self) -> None:
        """Close every connection."""
        self.reading.dispose()


def unavailable(error: SQLAlchemyError) -> ReadsmithError:
    """Put the driver's complaint into words for a user, without the statement."""
    complaint = str(getattr(error, "orig", error)).partition("\n")[0]
    return ReadsmithError(
        "database_unavailable",
        f"The job database cannot be used: {complaint}.",
        "See that it runs, that its disk has room, and that READSMITH_DATABASE_URL is right.",
    )


def patiently(act: Callable[[], Result]) -> Result:
    """Do something in the database, again and again while it is locked, full or gone.

    Raises OperationalError if that lasts for PATIENCE_SECONDS.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except OperationalError as error:
            if time.monotonic() > end:
                raise
            log.warning("%s", unavailable(error).message)
            time.sleep(RETRY_SECONDS)


def take_turns(connection: Connection) -> None:
    """Wait until no other transaction that called this is under way; in SQLite none ever is."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7323461)"))


def _with_driver(url: str) -> URL:
    """Name psycopg where a URL leaves the driver open; SQLAlchemy would take its predecessor."""
    parsed = make_url(url)
    open_to_all = parsed.drivername in ("postgresql", "postgres")
    return parsed.set(drivername="postgresql+psycopg") if open_to_all else parsed


def _sqlite_file(url: URL) -> Path:
    name = url.database or ":memory:"
    if name == ":memory:" or name.startswith("file:"):
        raise _url_invalid("names no file")
    return Path(name)


def _url_invalid(what: str) -> ReadsmithError:
    return ReadsmithError(
        "database_url_invalid",
        f"The database URL {what}.",
        "READSMITH_DATABASE_URL takes sqlite:///<file> or postgresql://…, which needs a driver: "
        "pip install 'readsmith[postgres]'.",
    )
