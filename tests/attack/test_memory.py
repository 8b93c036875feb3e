"""What large and many requests make of a worker's memory, in their long form."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.store.store import ModelStore
from tests.support.models.detectors import publish_detector
from tests.support.services import services
from tests.support.services.memory import (
    MOST_WORKER_BYTES,
    PATIENCE,
    Body,
    as_form,
    as_json,
    blank,
    noise,
    predictions,
    resident,
    watched,
    worker_of,
)
from tests.support.services.services import Service

Note = Callable[[str, object], None]

ORDINARY = 1_000
MIXED = 20_000
AFTER_ORDINARY_BYTES = 110_000_000
AFTER_MIXED_BYTES = 200_000_000
CONNECTIONS = 8


@pytest.fixture
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with services.predictor(tmp_path_factory.mktemp("memory")) as service:
        yield service


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def send(port: int, bodies: list[Body], numbers: range) -> None:
    """Send requests over one connection, opened again where it was closed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for number in numbers:
        body, headers = bodies[number % len(bodies)]
        path = "/nothing" if number % 50 == 0 else "/predict"
        connection.request("POST", path, body, headers)
        connection.getresponse().read()
    connection.close()


def shots_with_a_list() -> Body:
    shots = [blank((200 + number, 50)) for number in range(16)]
    return as_json(shots, combine=True, allowed=[f"{number:04}ABCDE" for number in range(9_999)])


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("8 requests of 29 MB of base64", lambda: as_json([noise(7_200_000)] * 3)),
        ("8 of 64 images of 10 megapixels", lambda: as_form([blank((5000, 2000))] * 64)),
        ("8 of 16 shots and 9,999 allowed texts", shots_with_a_list),
    ],
)
def test_large_requests_at_once(
    predictor: Service, record_property: Note, name: str, build: Callable[[], Body]
) -> None:
    send_at_once(predictor, record_property, name, build())


def test_large_photographs_at_once(tmp_path: Path, record_property: Note) -> None:
    publish_detector(ModelStore(tmp_path / "models"), tmp_path / "build")
    with services.predictor(tmp_path) as predictor:
        photographs = as_form([blank((5000, 2000))] * 64)
        send_at_once(predictor, record_property, "8 of 64 large photographs", photographs)


def send_at_once(predictor: Service, record_property: Note, name: str, body: Body) -> None:
    with watched(predictor) as watch:
        answers = predictions(predictor.port, body, clients=CONNECTIONS)
    time.sleep(1)
    served = sum(status == 200 for status, _ in answers)
    record_property(f"{name}: at most", megabytes(watch.most_bytes))
    record_property(f"{name}: afterwards", megabytes(resident(worker_of(predictor))))
    record_property(f"{name}: served, others 503", served)
    record_property(f"{name}: /healthz", f"{watch.slowest_seconds:.2f} s")
    assert {status for status, _ in answers} <= {200, 503}
    assert served
    assert watch.most_bytes < MOST_WORKER_BYTES
    assert watch.slowest_seconds < PATIENCE


def test_many_mixed_requests(predictor: Service, record_property: Note) -> None:
    small = [as_form([blank((200, 50))])]
    send(predictor.port, small, range(1, ORDINARY + 1))
    ordinary = resident(worker_of(predictor))
    record_property(f"after {ORDINARY:,} ordinary requests", megabytes(ordinary))
    bodies = mixed_bodies()
    with watched(predictor) as watch, ThreadPoolExecutor(CONNECTIONS) as pool:
        sent = [
            pool.submit(send, predictor.port, bodies, range(first, MIXED, CONNECTIONS))
            for first in range(CONNECTIONS)
        ]
        for each in sent:
            each.result()
    after = resident(worker_of(predictor))
    record_property(f"after {MIXED:,} mixed requests", megabytes(after))
    record_property("at most", megabytes(watch.most_bytes))
    record_property("/healthz", f"{watch.slowest_seconds:.2f} s")
    assert threading.active_count() < 50
    assert ordinary < AFTER_ORDINARY_BYTES
    assert after < AFTER_MIXED_BYTES
    assert watch.most_bytes < MOST_WORKER_BYTES


def mixed_bodies() -> list[Body]:
    """Small and large images, as JSON and as forms, and what is rejected."""
    picked = random.Random(0)
    bodies: list[Body] = []
    for _ in range(240):
        image = blank(
            (picked.randint(50, 400), picked.randint(20, 120)), picked.choice(["L", "RGB"])
        )
        bodies.append(picked.choice([as_form, as_json])([image]))
    bodies += [as_form([noise(picked.randint(10_000, 100_000))]) for _ in range(20)]
    bodies += [as_json([noise(1_000_000)]), as_form([blank((1500, 1000))])]
    bodies += [as_form([b"no image" * 1000]), as_json([b"GIF89a" * 9])]
    bodies += [(b'{"image": "***"}', {"Content-Type": "application/json"})] * 3
    bodies += [(b"x" * 300_000, {"Content-Type": "text/plain"})] * 3
    picked.shuffle(bodies)
    return bodies
