"""A repeated error does not fill the log."""

import io
import logging
from collections.abc import Iterator

import pytest

from shared.logs import BURST, RepeatLimit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RepeatLimit())
    log = logging.getLogger("test_logs")
    log.addHandler(handler)
    yield stream
    log.removeHandler(handler)


def test_a_place_writes_some_lines_a_second_and_then_how_many_were_left_out(
    clock: list[float], written: io.StringIO
) -> None:
    log = logging.getLogger("test_logs")
    for second in range(3):
        clock[0] = float(second)
        for index in range(1000):
            log.error("accept failed: %d", index)
    lines = written.getvalue().splitlines()
    assert len(lines) == 3 * BURST
    assert lines[0] == "accept failed: 0"
    assert lines[BURST] == lines[2 * BURST] == "accept failed: 0 (and 990 more like it)"


def test_other_places_and_mere_information_are_not_held_back(
    clock: list[float], written: io.StringIO
) -> None:
    log = logging.getLogger("test_logs")
    log.setLevel(logging.INFO)
    for _ in range(100):
        log.error("here")
        log.info("and")
    log.error("there")
    lines = written.getvalue().splitlines()
    assert lines.count("here") == BURST
    assert lines.count("and") == 100
    assert lines.count("there") == 1
