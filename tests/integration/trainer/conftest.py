"""A job database for each test: SQLite, and PostgreSQL where it is installed."""

from tests.support.jobs.fixtures import (  # noqa: F401 - fixtures
    database,
    expire,
    queue,
    result,
    settings,
    store,
)
