"""Graphs that hang, fill or crash ONNX Runtime, published under a predictor that others use."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.hostile.graphs import crashing, endless, hungry
from tests.support.models.bundles import publish
from tests.support.services.predictor import TIMEOUT, Predictor, clients_of, eventually, serving

PATIENCE = 5.0
"""Seconds within which others are answered."""
REJECTED_WITHIN = 150.0
"""Seconds: 10 s of CPU time last long on a busy machine; after 120 s it is killed anyhow."""
PROBE_BYTES = 1_200_000_000
"""What the process that tries a version may take, and Python itself."""

Note = Callable[[str, object], None]


@contextmanager
def watched(predictor: Predictor) -> Iterator[dict[str, float]]:
    """Note the slowest answer of /healthz, and the most memory of all processes together."""
    figures = {"slowest healthz (s)": 0.0, "most memory (MB)": 0.0}
    done = Event()

    def watch() -> None:
        while not done.wait(0.1):
            begun = time.monotonic()
            requests.get(f"{predictor.url}/healthz", timeout=TIMEOUT).raise_for_status()
            taken = time.monotonic() - begun
            figures["slowest healthz (s)"] = max(taken, figures["slowest healthz (s)"])
            memory = resident(predictor.process.pid) / 1e6
            figures["most memory (MB)"] = max(memory, figures["most memory (MB)"])

    thread = Thread(target=watch)
    thread.start()
    try:
        yield figures
    finally:
        done.set()
        thread.join()


def resident(pid: int) -> int:
    """Return the bytes in memory of a process and all below it."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [c for each in threads for c in (each / "children").read_text().split()]
    except OSError:  # it has ended
        return 0
    return pages * 4096 + sum(resident(int(child)) for child in children)


@pytest.mark.parametrize("graph", [endless, hungry, crashing])
def test_a_hostile_graph_costs_nobody_else_anything(
    tmp_path: Path, graph: Callable[[], bytes], record_property: Note
) -> None:
    store = ModelStore(tmp_path / "models")
    cache = {"READSMITH_STORE_CACHE": str(tmp_path / "cache")}
    publish(store, tmp_path / "1")
    with serving(store, tmp_path, **cache) as predictor:
        eventually(lambda: predictor.all_serve(1))
        usual = resident(predictor.process.pid)
        with watched(predictor) as figures, clients_of(predictor.url) as clients:
            publish(store, tmp_path / "2", model="bad", files={ONNX_MODEL: graph()})
            time.sleep(1)
            begun = time.monotonic()
            publish(store, tmp_path / "3")
            eventually(lambda: predictor.all_serve(2))
            record_property("another model followed (s)", round(time.monotonic() - begun, 1))
            deadline = time.monotonic() + REJECTED_WITHIN
            # Asked once: each answer is of one process, and the others may not have rejected it.
            while not rejected(predictor):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            record_property("rejected (s)", round(time.monotonic() - begun, 1))
    for name, value in figures.items():
        record_property(name, round(value, 2))
    assert [failure for client in clients for failure in client.failures] == []
    assert figures["slowest healthz (s)"] < PATIENCE
    assert figures["most memory (MB)"] < (usual + PROBE_BYTES) / 1e6
    begun = time.monotonic()
    with serving(store, tmp_path, **cache) as predictor:
        record_property("restarted (s)", round(time.monotonic() - begun, 1))
        assert predictor.all_serve(2)


def rejected(predictor: Predictor) -> bool:
    models = requests.get(f"{predictor.url}/readyz", timeout=TIMEOUT).json()["models"]
    return models.get("bad", {}).get("rejection") is not None
