"""The long forms of what is promised in docs/reliability.md: `make test-faults`."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here unless asked for, and give it the time that it needs."""
    skip = pytest.mark.skipif(
        "READSMITH_TEST_FAULTS" not in os.environ, reason="takes minutes: make test-faults"
    )
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)
            item.add_marker(pytest.mark.timeout(3600))
