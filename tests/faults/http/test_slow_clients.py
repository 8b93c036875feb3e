"""200 slow clients at once do not stop the others: through the gateway, and with threads to spare.

The gateway ends them; without it a client that pauses is ended, one that trickles holds a thread.
"""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from shared.store.store import ModelStore
from tests.support.hostile.slow_clients import KINDS, is_closed, seconds_of, slow_clients, told
from tests.support.models.bundles import png, publish
from tests.support.services import services
from tests.support.services.services import Gateway, Service, needs_nginx

SLOW = 200
OTHERS = 30
MOST_SECONDS = 10.0
"""For another client's request; a machine that does nothing else needs some milliseconds."""
SETTLED = 5.0
"""Seconds after which all slow clients have got as far as they get."""
GATEWAY_SECONDS = 60.0
"""After which the gateway has ended whoever is silent."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("services")
    publish(ModelStore(folder / "models"), folder / "build")
    return folder


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[Service]:
    with services.trainer(folder) as running:
        yield running


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Iterator[Service]:
    with services.predictor(folder, READSMITH_PREDICTOR_WORKERS="2") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(folder: Path, trainer: Service, predictor: Service) -> Iterator[Gateway]:
    with services.gateway(folder / "nginx", trainer, predictor) as running:
        yield running


def read(port: int) -> None:
    answer = requests.post(
        f"http://127.0.0.1:{port}/predict", files={"image": png("cab")}, timeout=services.TIMEOUT
    )
    assert answer.json().get("text") == "cab", answer.text


def post(port: int) -> None:
    url = f"http://127.0.0.1:{port}/models/default/promote"
    answer = requests.post(url, json={"version": 1}, timeout=services.TIMEOUT)
    assert answer.json().get("current") == 1, answer.text


@needs_nginx
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ask", "path"), [(read, "predict"), (post, "datasets")])
def test_the_gateway_serves_others_and_ends_the_silent(
    gateway: Gateway, kind: str, ask: Callable[[int], None], path: str
) -> None:
    port = gateway.predictor if ask is read else gateway.trainer
    with slow_clients(port, kind, SLOW, path) as clients:
        others(f"gateway, /{path}, {SLOW} × {kind}", lambda: ask(port))
        if kind not in ("trickling body", "not reading"):
            _wait_for_the_end_of(clients)


def _wait_for_the_end_of(clients: list[socket.socket]) -> None:
    began = time.monotonic()
    while not all(is_closed(client) for client in clients):
        assert time.monotonic() < began + GATEWAY_SECONDS
        time.sleep(0.5)
    print(f"  all ended {time.monotonic() - began:.0f} s later")


def others(what: str, ask: Callable[[], None]) -> None:
    """Ask as another client does, once the slow ones have got as far as they get."""
    time.sleep(SETTLED)
    ask()
    seconds = seconds_of(ask, OTHERS)
    print(f"\n{what}: others {told(seconds)}")
    assert seconds[-1] < MOST_SECONDS


@pytest.mark.parametrize("kind", KINDS)
def test_with_threads_to_spare_the_predictor_serves_others(folder: Path, kind: str) -> None:
    workers, threads = "2", "256"
    with (
        services.predictor(
            folder, READSMITH_PREDICTOR_WORKERS=workers, READSMITH_PREDICTOR_THREADS=threads
        ) as predictor,
        slow_clients(predictor.port, kind, SLOW, "predict"),
    ):
        others(f"predictor, 2 × 256 threads, {SLOW} × {kind}", lambda: read(predictor.port))


@pytest.mark.parametrize("kind", ["silent", "stalled head", "stalled body", "not reading"])
def test_without_threads_to_spare_the_predictor_comes_back_by_itself(
    folder: Path, kind: str
) -> None:
    with (
        services.predictor(folder, READSMITH_PREDICTOR_WORKERS="2") as predictor,
        slow_clients(predictor.port, kind, SLOW, "predict"),
    ):
        time.sleep(1)
        began = time.monotonic()
        for _ in range(8):  # each of the processes is asked, most likely
            assert requests.get(f"{predictor.url}/healthz", timeout=600).ok
        print(
            f"\npredictor alone, 2 × 8 threads, {SLOW} × {kind}: {time.monotonic() - began:.0f} s"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_trainer_alone_serves_others(trainer: Service, kind: str) -> None:
    with slow_clients(trainer.port, kind, SLOW, "datasets"):
        others(f"trainer, {SLOW} × {kind}", lambda: post(trainer.port))
