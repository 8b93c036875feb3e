"""The predictor as it runs: gunicorn, worker processes, sockets, signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from shared.access.tokens import Scope
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.api.keys import bearer
from tests.support.api.metrics import labels_of, sample
from tests.support.models.broken_bundles import BREAKAGES
from tests.support.models.bundles import publish
from tests.support.services.predictor import (
    TIMEOUT,
    WORKERS,
    Predictor,
    break_while_serving,
    clients_of,
    environment,
    eventually,
    serving,
)

VOCABULARIES = ["abc", "def", "ghi", "jkl"]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def predictor(store: ModelStore, tmp_path: Path) -> Iterator[Predictor]:
    with serving(store, tmp_path) as running:
        yield running


def test_a_model_is_served_as_soon_as_the_first_version_is_published(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    assert predictor.ask("cab").json()["model"] == "starter"
    publish(store, tmp_path / "build")
    eventually(lambda: predictor.all_serve(1))
    assert predictor.ask("cab").json()["text"] == "cab"


def test_each_worker_tells_of_keys_that_others_can_read(store: ModelStore, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = bearer(keys, "phone", Scope.PREDICT)
    keys.chmod(0o644)
    with serving(store, tmp_path, READSMITH_KEYS=str(keys)) as predictor:
        assert predictor.ask("cab", headers=key).status_code == 200
        lines = [json.loads(line) for line in predictor.log.read_text().splitlines()]
    told = [line["message"] for line in lines if line["level"] == "warning"]
    assert told and all(f"chmod 600 {keys}" in message for message in told)


def test_new_versions_go_live_while_requests_run_and_none_fails(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", characters=VOCABULARIES[0])
    eventually(lambda: predictor.all_serve(1))
    with clients_of(predictor.url) as clients:
        for version, characters in enumerate(VOCABULARIES[1:], 2):
            publish(store, tmp_path / str(version), characters=characters)
            eventually(lambda wanted=version: predictor.all_serve(wanted))  # type: ignore[misc]
    assert [failure for client in clients for failure in client.failures] == []
    right = {(n, v[2] + v[0] + v[1]) for n, v in enumerate(VOCABULARIES, 1)}
    assert set.union(*(client.seen for client in clients)) <= right
    assert predictor.ask("cab").json()["version"] == len(VOCABULARIES)


def test_broken_versions_are_refused_by_every_worker_and_no_request_fails(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    eventually(lambda: predictor.all_serve(1))
    with clients_of(predictor.url) as clients:
        for name in ("a bit of the graph", "manifest huge", "another golden text"):
            break_while_serving(predictor, store, tmp_path, BREAKAGES[name])
    assert [failure for client in clients for failure in client.failures] == []


def test_a_killed_worker_comes_back_with_the_model(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    eventually(lambda: predictor.all_serve(1))
    victim = min(predictor.workers())
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: predictor.all_serve(1) and victim not in predictor.workers())
    assert predictor.pids_with_versions() == set(predictor.workers())


def test_metrics_are_sums_over_the_workers_and_versions_are_each_workers_own(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    eventually(lambda: predictor.all_serve(1))
    for _ in range(20):
        assert predictor.ask("cab").status_code == 200
    page = predictor.metrics()
    assert sample(page, "readsmith_predictions_total", model="default", version="1") == 20
    assert labels_of(page, "readsmith_unseen_size_share")
    assert f'readsmith_predictor_reloads_total{{model="default"}} {WORKERS}.0' in page
    assert predictor.pids_with_versions() == set(predictor.workers())


def test_every_request_has_a_line_in_the_log_and_every_line_is_json(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    eventually(lambda: predictor.all_serve(1))
    for number in range(100):
        predictor.ask("cab", headers={"X-Request-ID": f"good-{number}"})
    requests.get(f"{predictor.url}/nowhere", headers={"X-Request-ID": "bad"}, timeout=TIMEOUT)
    predictor.process.terminate()  # at once: what still waits is written at the end
    predictor.process.wait(TIMEOUT)
    lines = [json.loads(line) for line in predictor.log.read_text().splitlines()]
    told = {line["request_id"]: line for line in lines if "request_id" in line}
    for number in range(100):
        line = told[f"good-{number}"]
        assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
        assert (line["model"], line["version"], line["images"]) == ("default", 1, 1)
        assert line["ms"] > 0
    assert (told["bad"]["status"], told["bad"]["error"]) == (404, "not_found")


def test_the_level_of_the_log_can_be_raised(store: ModelStore, tmp_path: Path) -> None:
    with serving(store, tmp_path, READSMITH_LOG_LEVEL="warning") as predictor:
        assert predictor.ask("cab").status_code == 200
        publish(store, tmp_path / "broken", files={ONNX_MODEL: b"no graph"})
        eventually(lambda: "rejected" in predictor.log.read_text())
    levels = {json.loads(line)["level"] for line in predictor.log.read_text().splitlines()}
    assert levels <= {"warning", "error", "critical"}


def test_a_body_of_unknown_length_is_refused_at_the_limit(predictor: Predictor) -> None:
    def just_over() -> Iterator[bytes]:
        for _ in range(41):
            yield bytes(1_000_000)
        yield bytes(1000)

    answer = requests.post(
        f"{predictor.url}/predict",
        data=just_over(),
        headers={"Content-Type": "image/png"},
        timeout=TIMEOUT,
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_signal_ends_it_cleanly(predictor: Predictor) -> None:
    pids = set(predictor.workers())
    predictor.process.send_signal(signal.SIGTERM)
    assert predictor.process.wait(TIMEOUT) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "Traceback" not in predictor.log.read_text()


def test_it_leaves_nothing_behind_in_the_home_folder(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    """ONNX Runtime keeps its maker's telemetry in the home folder, gunicorn a control socket."""
    publish(store, tmp_path / "build")
    eventually(lambda: predictor.all_serve(1))
    assert not (tmp_path / "home").exists()


def run_to_its_end(store: ModelStore, port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "predictor"],
        env={**environment(store.root, 0), "READSMITH_PREDICTOR_PORT": port},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_a_taken_port_is_one_clear_line(store: ModelStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = run_to_its_end(store, str(port))
    assert ended.returncode == 1
    assert re.fullmatch(rf"Cannot listen on 127\.0\.0\.1 port {port}: .*\n", ended.stderr)


def test_a_bad_setting_is_one_clear_line(store: ModelStore) -> None:
    ended = run_to_its_end(store, "http")
    assert ended.returncode == 2
    assert re.fullmatch(r"READSMITH_PREDICTOR_PORT is 'http': .*\n", ended.stderr)
