"""SIGHUP, SIGUSR1 and SIGUSR2 end neither the trainer's API nor its worker."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.support.paths import ROOT
from tests.support.services import services

IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def test_they_do_not_end_the_api(tmp_path: Path) -> None:
    with services.trainer(tmp_path) as trainer:
        for number in IGNORED:
            trainer.process.send_signal(number)
            time.sleep(0.2)
            assert requests.get(f"{trainer.url}/healthz", timeout=60).status_code == 200


def test_they_do_not_end_the_worker(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {
        "PYTHONPATH": str(ROOT),
        "READSMITH_STORE": str(tmp_path / "models"),
        "READSMITH_STATE": str(tmp_path / "state"),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer.workers.worker"],
            env=environment,
            stderr=output,
            cwd=tmp_path,
        )
    try:
        deadline = time.monotonic() + 60
        while "is ready" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        for number in IGNORED:
            process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
    finally:
        process.terminate()
        assert process.wait(60) == 0
