"""The predictor as it runs: gunicorn, worker processes, sockets, signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from shared.manifest import ONNX_MODEL
from shared.model_store import ModelStore
from tests.bundles import png, publish
from tests.metrics_page import labels_of, sample

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a test gives up; far more than a busy machine needs."""

VOCABULARIES = ["abc", "def", "ghi", "jkl"]
WORKERS = 2


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(store: Path, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(store.with_name("home")),
        "PYTHONPATH": str(ROOT),
        "READSMITH_STORE": str(store),
        "READSMITH_PREDICTOR_PORT": str(port),
        "READSMITH_PREDICTOR_WORKERS": str(WORKERS),
        "READSMITH_POLL_SECONDS": "0.2",
    }


@dataclass
class Predictor:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def ask(
        self,
        text: str,
        session: requests.Session | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send the picture of a text in the letters a, b and c."""
        return (session or requests).post(
            f"{self.url}/predict",
            files={"image": ("captcha.png", png(text))},
            headers=headers,
            timeout=PATIENCE,
        )

    def workers(self) -> dict[int, dict[str, object]]:
        """Ask until every worker has told what it knows of the default model."""
        states: dict[int, dict[str, object]] = {}
        deadline = time.monotonic() + PATIENCE
        while len(states) < WORKERS:
            assert time.monotonic() < deadline, f"only {len(states)} workers answer"
            body = requests.get(f"{self.url}/readyz", timeout=PATIENCE).json()
            states[body["pid"]] = body["models"]["default"]
        return states

    def metrics(self) -> str:
        return requests.get(f"{self.url}/metrics", timeout=PATIENCE).text

    def pids_with_versions(self) -> set[int]:
        found = labels_of(self.metrics(), "readsmith_predictor_model_version")
        return {int(labels["pid"]) for labels in found}

    def all_serve(self, version: int | None) -> bool:
        return all(state["version"] == version for state in self.workers().values())


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def predictor(store: ModelStore, tmp_path: Path) -> Iterator[Predictor]:
    with serving(store, tmp_path) as running:
        yield running


@contextmanager
def serving(store: ModelStore, tmp_path: Path, **settings: str) -> Iterator[Predictor]:
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "predictor"],
            env=environment(store.root, port) | settings,
            stderr=stderr,
            cwd=tmp_path,
        )
    running = Predictor(process, f"http://127.0.0.1:{port}", log)
    try:
        eventually(lambda: answers(running))
        yield running
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(predictor: Predictor) -> bool:
    assert predictor.process.poll() is None, predictor.log.read_text()
    try:
        return requests.get(f"{predictor.url}/healthz", timeout=PATIENCE).status_code == 200
    except requests.ConnectionError:
        return False


def test_a_model_is_served_as_soon_as_the_first_version_is_published(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    assert predictor.ask("cab").json()["model"] == "starter"
    publish(store, tmp_path / "build")
    eventually(lambda: predictor.all_serve(1))
    assert predictor.ask("cab").json()["text"] == "cab"


@dataclass
class Client(threading.Thread):
    """Sends requests one after the other until it is told to stop."""

    predictor: Predictor
    done: threading.Event
    seen: set[tuple[int, str]] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with requests.Session() as session:
            while not self.done.is_set():
                try:
                    answer = self.predictor.ask("cab", session)
                    answer.raise_for_status()
                    self.seen.add((answer.json()["version"], answer.json()["text"]))
                except requests.RequestException as error:
                    self.failures.append(repr(error))


def test_new_versions_go_live_while_requests_run_and_none_fails(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", characters=VOCABULARIES[0])
    eventually(lambda: predictor.all_serve(1))
    done = threading.Event()
    clients = [Client(predictor, done) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for version, characters in enumerate(VOCABULARIES[1:], 2):
            publish(store, tmp_path / str(version), characters=characters)
            eventually(lambda wanted=version: predictor.all_serve(wanted))  # type: ignore[misc]
    finally:
        done.set()
        for client in clients:
            client.join()
    assert [failure for client in clients for failure in client.failures] == []
    right = {(n, v[2] + v[0] + v[1]) for n, v in enumerate(VOCABULARIES, 1)}
    assert set.union(*(client.seen for client in clients)) <= right
    assert predictor.ask("cab").json()["version"] == len(VOCABULARIES)


def test_a_broken_version_is_refused_by_every_worker_and_the_next_good_one_taken(
    predictor: Predictor, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    eventually(lambda: predictor.all_serve(1))
    publish(store, tmp_path / "broken", files={ONNX_MODEL: b"no graph"})
    eventually(lambda: all(state["refusal"] for state in predictor.workers().values()))
    assert predictor.all_serve(1)
    assert predictor.ask("cab").json()["version"] == 1
    assert "version 2 refused: prediction_model.onnx" in predictor.log.read_text()
    publish(store, tmp_path / "better", characters="def")
    eventually(lambda: predictor.all_serve(3))
    assert predictor.ask("cab").json()["text"] == "fde"


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
    assert sample(page, "readsmith_readings_total", model="default", version="1") == 20
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
    requests.get(f"{predictor.url}/nowhere", headers={"X-Request-ID": "bad"}, timeout=PATIENCE)
    predictor.process.terminate()  # at once: what still waits is written at the end
    predictor.process.wait(PATIENCE)
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
        eventually(lambda: "refused" in predictor.log.read_text())
    levels = {json.loads(line)["level"] for line in predictor.log.read_text().splitlines()}
    assert levels <= {"warning", "error", "critical"}


def test_a_body_of_unknown_length_is_refused_at_the_limit(predictor: Predictor) -> None:
    def just_over() -> Iterator[bytes]:
        for _ in range(32):
            yield bytes(1_000_000)
        yield bytes(1000)

    answer = requests.post(
        f"{predictor.url}/predict",
        data=just_over(),
        headers={"Content-Type": "image/png"},
        timeout=PATIENCE,
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_signal_ends_it_cleanly(predictor: Predictor) -> None:
    pids = set(predictor.workers())
    predictor.process.send_signal(signal.SIGTERM)
    assert predictor.process.wait(PATIENCE) == 0
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
        timeout=PATIENCE,
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
    assert re.fullmatch(r"READSMITH_PREDICTOR_PORT=http: .*\n", ended.stderr)
