"""A trainer's settings and its job database."""

from tests.support.jobs.fixtures import (  # noqa: F401 - fixtures
    database,
    queue,
    result,
    settings,
)
