"""Large requests at once do not make a worker large; what they took is given back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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

LISTS = b'{"images":[' + b"[]," * 9_000_000 + b"[]]}"
WIDE = b'{"image":"' + "😀".encode() + b"A" * 29_000_000 + b'"}'
SPACED = b'{"image":"' + b"A " * 14_000_000 + b'"}'
JSON = {"Content-Type": "application/json"}
ATTACKS = {
    "29 MB of base64": lambda: as_json([noise(7_200_000)] * 3),
    "29 MB in a form": lambda: as_form([noise(7_200_000)] * 4),
    "ten megapixels": lambda: as_form([blank((5000, 2000))] * 4),
    "ten transparent megapixels": lambda: as_form([blank((5000, 2000), "LA")] * 2),
    "nine million lists": lambda: (LISTS, JSON),
    "one wide character": lambda: (WIDE, JSON),
    "base64 in pieces": lambda: (SPACED, JSON),
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with services.predictor(tmp_path_factory.mktemp("memory")) as service:
        yield service


@pytest.mark.parametrize("name", ATTACKS)
def test_eight_large_requests_at_once_stay_within_the_worker_s_memory(
    predictor: Service, name: str
) -> None:
    body: Body = ATTACKS[name]()
    with watched(predictor) as watch:
        answers = predictions(predictor.port, body, clients=8)
    assert watch.most_bytes < MOST_WORKER_BYTES
    assert watch.slowest_seconds < PATIENCE
    served = {400, 413, 422} if body[1] is JSON else {200}
    assert {status for status, _ in answers} & served
    for status, headers in answers:
        assert status in served or (status == 503 and headers["Retry-After"])


def test_what_large_requests_took_is_given_back(predictor: Service) -> None:
    predictions(predictor.port, as_json([noise(7_200_000)] * 3), clients=4)
    deadline = time.monotonic() + 30
    while resident(worker_of(predictor)) > 120_000_000:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_small_requests_do_not_wait_for_large_ones(tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor, watched(predictor):
        small = as_form([blank((200, 50))])
        large = as_form([blank((5000, 2000))] * 4)
        answers = predictions(predictor.port, large, clients=3)
        assert {status for status, _ in predictions(predictor.port, small, clients=8)} == {200}
        assert 200 in {status for status, _ in answers}
