"""Lines of requests reach the log whole, and requests never wait for them."""

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from predictor.telemetry.access_log import MAX_BUFFERED, AccessLog
from predictor.telemetry.request_stats import RequestStats

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def note(log: AccessLog, numbers: range) -> None:
    for number in numbers:
        log.add("POST", "/predict", 200, RequestStats(str(number)))


def lines(ends: Pipe, last: int) -> list[dict[str, Any]]:
    """Read the pipe up to the line of this number."""
    read = b""
    while f'"request_id": "{last}"'.encode() not in read or not read.endswith(b"\n"):
        read += os.read(ends[0], 65536)
    return [json.loads(line) for line in read.splitlines()]


def test_every_line_is_whole_and_in_order(pipe: Pipe) -> None:
    log = AccessLog(pipe[1])
    note(log, range(100))
    log.flush()
    assert [line["request_id"] for line in lines(pipe, 99)] == [str(n) for n in range(100)]


def test_while_nobody_reads_requests_go_on_and_the_latest_lines_wait(pipe: Pipe) -> None:
    log = AccessLog(pipe[1])
    note(log, range(1000))
    writer = threading.Thread(target=log.flush)
    writer.start()  # waits: the pipe takes less than 1,000 lines
    last = 1000 + 2 * MAX_BUFFERED - 1
    note(log, range(1000, last + 1))
    told = [int(line["request_id"]) for line in lines(pipe, last)]
    writer.join()
    assert told == sorted(told)
    assert told[-MAX_BUFFERED:] == list(range(last + 1 - MAX_BUFFERED, last + 1))


def test_a_closed_log_stops_nobody_and_goes_on_once_it_is_read_again(pipe: Pipe) -> None:
    read, write = os.pipe()
    os.close(read)
    log = AccessLog(write)
    note(log, range(3))
    log.flush()
    os.dup2(pipe[1], write)
    note(log, range(3, 6))
    log.flush()
    os.close(write)
    assert lines(pipe, 5)[-1]["request_id"] == "5"
