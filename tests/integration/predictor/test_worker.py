"""What gunicorn's worker does for every request, it does no longer; nothing else is lost."""

from pathlib import Path

import httpx
import pytest

from predictor.server.worker import QuietWorker
from tests.support.services import services


def test_the_arbiter_is_told_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    clock = [100.0]
    monkeypatch.setattr("predictor.server.worker.time.monotonic", lambda: clock[0])
    quiet = QuietWorker.__new__(QuietWorker)
    quiet.tmp = type("Tmp", (), {"notify": lambda _: told.append(clock[0])})()
    for clock[0] in (100.0, 100.4, 100.9, 101.0, 101.5, 102.1):
        quiet.notify()
    assert told == [100.0, 101.0, 102.1]


def test_each_request_has_one_line_in_the_log(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as service:
        for _ in range(3):
            assert httpx.get(f"{service.url}/models").status_code == 200
    lines = (tmp_path / "predictor.log").read_text().splitlines()
    assert sum("/models" in line for line in lines) == 3
