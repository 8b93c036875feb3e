"""Copy the jobs of a SQLite file to PostgreSQL: `python -m trainer.database.copy FILE`.

READSMITH_DATABASE_URL names the target, which must not contain jobs yet. No service may run.
"""

import argparse
import sys
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.exc import DBAPIError

from shared.errors import ConflictError, NotFoundError, ReadsmithError
from trainer.database.tables import Database, jobs, serialize_writers, tables, unavailable
from trainer.settings import load_settings, startup_error

BATCH = 1000
"""Rows per insert: a large database does not fit in memory."""


def main() -> None:
    """Copy everything or nothing; print how much."""
    parser = argparse.ArgumentParser(prog="python -m trainer.database.copy")
    parser.add_argument("file", type=Path, help="the SQLite file, for example jobs.sqlite")
    file = parser.parse_args().file
    try:
        copied = copy_jobs(file, Database(load_settings().jobs_database))
    except (ReadsmithError, OSError) as error:
        sys.exit(startup_error(error))
    sys.stdout.write(f"Copied {', '.join(f'{count} {name}' for name, count in copied.items())}.\n")


def copy_jobs(file: Path, target: Database) -> dict[str, int]:
    """Copy all tables of a SQLite file and return how many rows each has.

    Raises ReadsmithError file_not_found, database_not_empty or database_unavailable.
    """
    if not file.is_file():
        raise NotFoundError(
            "file_not_found",
            f"There is no file {file}.",
            "Name the trainer's jobs.sqlite, which is in its state folder.",
        )
    source = Database(f"sqlite:///{file.absolute()}")
    try:
        with source.reading.begin() as old, target.writing.begin() as new:
            serialize_writers(new)
            _require_empty(new)
            return {table.name: _copy(table, old, new) for table in tables.sorted_tables}
    except DBAPIError as error:
        raise unavailable(error) from error
    finally:
        source.close()


def _require_empty(connection: Connection) -> None:
    if connection.scalar(select(func.count()).select_from(jobs)):
        raise ConflictError(
            "database_not_empty",
            "The database that READSMITH_DATABASE_URL names already contains jobs.",
            "Name an empty one.",
        )


def _copy(table: Table, old: Connection, new: Connection) -> int:
    count = 0
    rows = old.execution_options(yield_per=BATCH).execute(select(table)).mappings()
    for batch in rows.partitions():
        new.execute(insert(table), [dict(row) for row in batch])
        count += len(batch)
    # PostgreSQL's sequences do not see explicit numbers: the next job would get number 1 again.
    numbered = table.autoincrement_column
    if numbered is not None and count and new.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, numbered.name)
        new.execute(select(func.setval(sequence, select(func.max(numbered)).scalar_subquery())))
    return count


if __name__ == "__main__":
    main()
