"""The services as a user starts them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from shared.access.tokens import Scope
from tests.support.api.keys import bearer
from tests.support.paths import ROOT
from tests.support.services.services import free_port


def start(module: str, folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "module", ["trainer.api.app", "trainer.workers.worker", "trainer.workers.job_process"]
)
def test_nothing_but_a_run_imports_tensorflow_and_nothing_unasked_optuna_or_ray(
    module: str,
) -> None:
    heavy = {"tensorflow", "keras", "optuna", "ray"}
    look = f"import sys, {module}; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, check=False).returncode == 0


def test_the_api_starts_in_an_empty_folder_answers_and_stops(tmp_path: Path) -> None:
    port = str(free_port())
    keys = tmp_path / "keys.json"
    key = bearer(keys, "phone", Scope.TRAIN)
    keys.chmod(0o644)
    settings = {"READSMITH_TRAINER_PORT": port, "READSMITH_KEYS": str(keys)}
    api = start("trainer", tmp_path, settings)
    try:
        answer = None
        end = time.monotonic() + 60
        while answer is None and time.monotonic() < end:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/jobs", headers=key, timeout=60)
            except httpx.TransportError:
                time.sleep(0.1)
        assert answer is not None and answer.status_code == 202
        httpx.get(f"http://127.0.0.1:{port}/jobs?api_key=rs_secret", timeout=60)
        assert (tmp_path / "var" / "trainer" / "jobs.sqlite").is_file()
        api.send_signal(signal.SIGTERM)
        said = "".join(map(str, api.communicate(timeout=30)))
        assert '"GET /jobs HTTP/1.1"' in said
        assert "rs_secret" not in said
        assert f"chmod 600 {keys}" in said
    finally:
        api.kill()
        api.communicate()


@pytest.mark.parametrize(
    ("module", "environment", "complaint"),
    [
        ("trainer", {"READSMITH_TRAINER_PORT": "99999"}, "READSMITH_TRAINER_PORT is '99999'"),
        ("trainer", {"READSMITH_STATE": "/dev/null/x"}, "/dev/null/x"),
        ("trainer", {"READSMITH_DATABASE_URL": "mysql://x/y"}, "database URL"),
        (
            "trainer.workers.worker",
            {"READSMITH_LEASE_SECONDS": "0"},
            "READSMITH_LEASE_SECONDS is '0'",
        ),
        ("trainer.workers.worker", {"READSMITH_DATABASE_URL": "x"}, "database URL"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, module: str, environment: dict[str, str], complaint: str
) -> None:
    service = start(module, tmp_path, {"READSMITH_TRAINER_PORT": str(free_port())} | environment)
    _, errors = service.communicate(timeout=60)
    assert service.returncode == 1
    assert errors.startswith("error: ") and complaint in errors
    assert len(errors.splitlines()) == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        service = start("trainer", tmp_path, {"READSMITH_TRAINER_PORT": port})
        _, errors = service.communicate(timeout=60)
    assert errors.startswith(f"error: Cannot listen on 127.0.0.1:{port}: Address already in use")
    assert len(errors.splitlines()) == 1
