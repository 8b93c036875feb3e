"""A predictor as it runs (gunicorn, worker processes, sockets), and clients of it."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from shared.store.store import ModelStore
from tests.support.api.metrics import labels_of, sample
from tests.support.models.broken_bundles import Breakage, serve_broken
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services.services import free_port

TIMEOUT = 60.0
"""Seconds after which a test gives up; far more than a busy machine needs."""

WORKERS = 2


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


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


def ask(
    url: str,
    text: str,
    session: requests.Session | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """Send the image of a text in the letters a, b and c."""
    return (session or requests).post(
        f"{url}/predict",
        files={"image": ("captcha.png", png(text))},
        headers=headers,
        timeout=TIMEOUT,
    )


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
        return ask(self.url, text, session, headers)

    def workers(self) -> dict[int, dict[str, Any]]:
        """Ask until every worker has told what it knows of the default model."""
        states: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + TIMEOUT
        while len(states) < WORKERS:
            assert time.monotonic() < deadline, f"only {len(states)} workers answer"
            body = requests.get(f"{self.url}/readyz", timeout=TIMEOUT).json()
            states[body["pid"]] = body["models"]["default"]
        return states

    def metrics(self) -> str:
        return requests.get(f"{self.url}/metrics", timeout=TIMEOUT).text

    def pids_with_versions(self) -> set[int]:
        found = labels_of(self.metrics(), "readsmith_predictor_model_version")
        return {int(labels["pid"]) for labels in found}

    def all_serve(self, version: int | None) -> bool:
        return all(state["version"] == version for state in self.workers().values())


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
        process.wait(TIMEOUT)


def answers(predictor: Predictor) -> bool:
    assert predictor.process.poll() is None, predictor.log.read_text()
    try:
        return requests.get(f"{predictor.url}/healthz", timeout=TIMEOUT).status_code == 200
    except requests.ConnectionError:
        return False


@dataclass
class Client(threading.Thread):
    """Sends requests one after the other until it is told to stop."""

    url: str
    done: threading.Event
    seen: set[tuple[int, str]] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    answered: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        with requests.Session() as session:
            while not self.done.is_set():
                try:
                    answer = ask(self.url, "cab", session)
                    answer.raise_for_status()
                    self.answered += 1
                    self.seen.add((answer.json()["version"], answer.json()["text"]))
                except requests.RequestException as error:
                    self.failures.append(repr(error))


@contextmanager
def clients_of(url: str, count: int = 3) -> Iterator[list[Client]]:
    """Have clients ask as long as the block lasts; afterwards they tell how it went."""
    done = threading.Event()
    clients = [Client(url, done) for _ in range(count)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        done.set()
        for client in clients:
            client.join()


def break_while_serving(
    predictor: Predictor, store: ModelStore, folder: Path, breakage: Breakage
) -> None:
    """Make a broken version current, and then a good one; expect what is promised of both."""
    [served] = {state["version"] for state in predictor.workers().values()}
    before = refusals(predictor, breakage.part)
    broken = serve_broken(store, folder / "broken", breakage)
    eventually(lambda: all(state["wanted"] == broken for state in predictor.workers().values()))
    for state in predictor.workers().values():
        assert state["version"] == served
        assert state["rejection"]["version"] == broken
        assert re.search(breakage.sentence, state["rejection"]["reason"])
    assert refusals(predictor, breakage.part) == before + WORKERS
    assert predictor.log.read_text().count(f"version {broken} rejected: ") == WORKERS
    good = publish(store, folder / "good").version
    eventually(lambda: predictor.all_serve(good))


def refusals(predictor: Predictor, part: str) -> float:
    """Return how often versions were refused for this reason, over all workers."""
    name = "readsmith_predictor_rejected_reloads_total"
    return sample(predictor.metrics(), name, model="default", reason=part)
