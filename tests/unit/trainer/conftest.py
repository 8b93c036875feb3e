"""A trainer's settings, and what a worker of its jobs needs."""

from tests.support.jobs.fixtures import queue, result, settings  # noqa: F401 - fixtures
