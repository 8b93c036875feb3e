"""Attacks on running services, in their long form: `make test-attack`.

A test notes what it measured by pytest's record_property, as a text or number; the figures are
printed at the end.
Bounds that are asserted: `/healthz` and innocent clients answer within PATIENCE, memory stays
within what docs/reliability.md promises.
"""

import os
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here unless asked for, and give it the time that it needs."""
    skip = pytest.mark.skipif(
        "READSMITH_TEST_ATTACK" not in os.environ, reason="takes minutes: make test-attack"
    )
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)
            item.add_marker(pytest.mark.timeout(1200))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the figures that the tests noted."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    noted = [
        (report.nodeid.removeprefix("tests/attack/"), name, value)
        for report in reports
        if report.when == "call" and "tests/attack/" in report.nodeid
        for name, value in report.user_properties
    ]
    if noted:
        terminalreporter.section("figures")
    for test, name, value in noted:
        terminalreporter.write_line(f"{test}  {name}: {value}")
