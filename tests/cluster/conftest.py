"""A cluster of three hosts on this machine: `make test-cluster`."""

import os
from pathlib import Path

import pytest

from tests.cluster.hosts import needs_hosts
from tests.support.services.postgresql import needs_postgresql

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here unless asked for and possible, and give it the time that it needs."""
    asked_for = pytest.mark.skipif(
        "READSMITH_TEST_CLUSTER" not in os.environ, reason="takes minutes: make test-cluster"
    )
    for item in items:
        if HERE in item.path.parents:
            for mark in (asked_for, needs_hosts, needs_postgresql):
                item.add_marker(mark)
            item.add_marker(pytest.mark.timeout(3600))
