"""The job database's revision, and its migration to the revision of this program.

A revision is a file of trainer/database/migrations/versions, `0001_….py`; its number is its id.
"""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from shared.errors import SetupError

MIGRATIONS = Path(__file__).parent / "migrations"

_alembic_version = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)


def newest_revision() -> str:
    """Return the revision that this program works with."""
    return _known_revisions()[-1]


def is_current(connection: Connection) -> bool:
    """Return whether the tables are those of this program; raises ReadsmithError database_newer.

    Alembic is not imported for that, so that the APIs start fast and stay small.
    """
    found = revision_of(connection)
    # A newer program changed the database; this one cannot know what the new rows mean.
    if found is not None and found not in _known_revisions():
        raise SetupError(
            "database_newer",
            f"The job database is at revision {found}, which a newer Readsmith made; this one "
            f"knows revisions up to {newest_revision()}.",
            "Install the newer Readsmith here, too, or name another database in "
            "READSMITH_DATABASE_URL.",
        )
    return found == newest_revision()


def revision_of(connection: Connection) -> str | None:
    """Return the revision that a database is at; None before its first migration."""
    if not inspect(connection).has_table(_alembic_version.name):
        return None
    return connection.execute(select(_alembic_version.c.version_num)).scalar_one_or_none()


def bring_up_to_date(connection: Connection, tables: MetaData) -> None:
    """Create or migrate the tables, all or nothing, in the connection's transaction.

    tables: those of the newest revision, which an empty database gets at once.
    """
    # Without Alembic where it is not needed: the first start stays fast.
    if set(tables.tables).isdisjoint(inspect(connection).get_table_names()):
        tables.create_all(connection)
        _alembic_version.create(connection)
        connection.execute(insert(_alembic_version).values(version_num=newest_revision()))
    else:
        migrate(connection)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Migrate to a revision, all or nothing, in the connection's transaction."""
    from alembic import command  # noqa: PLC0415 - most starts migrate nothing
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


def _known_revisions() -> list[str]:
    """Return this program's revisions, oldest first; a test compares them with Alembic's."""
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    return sorted(file.name.partition("_")[0] for file in files)
