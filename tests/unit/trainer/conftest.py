"""A trainer's settings."""

from tests.support.jobs.fixtures import settings  # noqa: F401 - a fixture
