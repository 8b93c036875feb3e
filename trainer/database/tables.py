"""The tables of the job database and transactions on them, in SQLite or PostgreSQL."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
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
    false,
    text,
)
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shared.errors import ReadsmithError, UnavailableError
from trainer.database import schema
from trainer.database.engine import open_engine

TIMEOUT_SECONDS = 120
"""How long a run waits for a database that is unavailable."""
RETRY_SECONDS = 1

Result = TypeVar("Result")

log = logging.getLogger("trainer.database.tables")

tables = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")
"""A row's number: a hundred thousand jobs a day record 2**31 events within a year."""

jobs = Table(
    "jobs",
    tables,
    Column("number", _Number, primary_key=True),
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
    # A default of the database's own: SQLite adds no column to rows that would have no value.
    Column("finish_requested", Boolean, nullable=False, server_default=false()),
    Column("progress", JSON(none_as_null=True)),
    Column("dataset", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    # The request without what is large; NULL where an earlier release has queued the job.
    Column("listed", JSON(none_as_null=True)),
    # A JobKind; an earlier release knows trainings only.
    Column("kind", String(16), nullable=False, server_default="train"),
    Index("jobs_by_status", "status", "number"),
)

events = Table(
    "events",
    tables,
    Column("id", _Number, primary_key=True),
    Column("job_id", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("type", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index("events_of_job", "job_id", "id"),
)

trials = Table(
    "trials",
    tables,
    Column("job_id", String(40), ForeignKey("jobs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("record", JSON, nullable=False),
)

datasets = Table(
    "datasets",
    tables,
    Column("id", String(40), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    # Of an upload; empty for a living dataset.
    Column("sha256", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("name", String(64)),
    # Of a living dataset; NULL for an upload, which never changes.
    Column("version", Integer),
    Column("learned", Integer),
    Column("estimate", JSON(none_as_null=True)),
)

dataset_images = Table(
    "dataset_images",
    tables,
    Column("number", _Number, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    # Also keeps an earlier release, which knows uploads only, from deleting a living dataset.
    Column("dataset_id", String(40), ForeignKey("datasets.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("ending", String(8), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("state", String(16), nullable=False, server_default="unlabelled"),
    Column("text", Text),
    Column("proposal", Text),
    # Of the proposal; 0 without one, and the score is 1 then: numbers, by which pages can go on.
    Column("confidence", Double, nullable=False, server_default="0"),
    Column("score", Double, nullable=False, server_default="1"),
    Column("proposed_by", String(128)),
    Column("by", String(64)),
    Column("at", Double),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("random", Boolean, nullable=False, server_default=false()),
    # A hash is a random number that an image keeps: this is the random order, too.
    UniqueConstraint("dataset_id", "sha256"),
    Index("images_by_state", "dataset_id", "state"),
    Index("images_by_name", "dataset_id", "name", "number"),
    Index("images_by_confidence", "dataset_id", "confidence", "sha256"),
    Index("images_by_score", "dataset_id", "score", "sha256"),
)

corrections = Table(
    "corrections",
    tables,
    Column("number", _Number, primary_key=True),
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
    Column("problem", Text),
)


class now(FunctionElement[float]):  # noqa: N801 - reads like SQLAlchemy's own functions
    """Seconds since 1970 by the database's clock, the only one that all processes share."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


class Database:
    """Transactions on the job database, which is migrated to this program's revision first.

    migrate: False for a child of a worker, so that a migration while it runs does not end its
    job; a SQLite file that is missing is then not made either. Raises ReadsmithError
    (database_url_invalid, database_unavailable, database_newer) or OSError.
    """

    def __init__(self, url: str, *, migrate: bool = True) -> None:
        self.reading = open_engine(url, create=migrate)
        self.writing = self.reading.execution_options(writing=True)
        if migrate and not self.is_current():  # checked without the lock, which others may hold
            self._migrate()

    def is_current(self) -> bool:
        """Return whether the tables are those of this program; raises as above."""
        try:
            with self.reading.begin() as connection:
                return schema.is_current(connection)
        except DBAPIError as error:
            raise unavailable(error) from error

    def _migrate(self) -> None:
        try:
            with self.writing.begin() as connection:
                serialize_writers(connection)
                if not schema.is_current(connection):  # another service may have been first
                    schema.bring_up_to_date(connection, tables)
        except DBAPIError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.reading.dispose()


def unavailable(error: SQLAlchemyError) -> ReadsmithError:
    """Return the driver's error for users, without the SQL statement."""
    reason = str(getattr(error, "orig", error)).partition("\n")[0]
    return UnavailableError(
        "database_unavailable",
        f"The job database cannot be used: {reason}.",
        "Check that it runs, that its disk has room, and that READSMITH_DATABASE_URL is right.",
    )


def retried(act: Callable[[], Result]) -> Result:
    """Call a function that uses the database; retry while that is locked, full, read-only or gone.

    Raises DBAPIError after TIMEOUT_SECONDS.
    """
    end = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return act()
        # InternalError: a read-only server, which managed ones with a full disk are for a while.
        except (OperationalError, InternalError) as error:
            if time.monotonic() > end:
                raise
            log.warning("%s", unavailable(error).message)
            time.sleep(RETRY_SECONDS)


def serialize_writers(connection: Connection) -> None:
    """Wait until no other transaction that called this is open.

    Only PostgreSQL needs it: in SQLite each writing transaction begins with BEGIN IMMEDIATE.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(7323461)"))
