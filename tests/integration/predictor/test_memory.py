"""Large requests at once do not make a worker large; what they took is given back."""

import base64
import gzip
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.hostile.images import avif, photograph
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


def padded(size: int) -> bytes:
    """An image of ten megapixels and this many bytes, of which some follow its end."""
    image = noise(29_900_000)
    return image + bytes(size - len(image))


def as_gzip(body: Body) -> Body:
    return gzip.compress(body[0], 1), body[1] | {"Content-Encoding": "gzip"}


def as_data_url(image: bytes) -> Body:
    url = b"data:image/png;base64," + base64.b64encode(image)
    return b'{"image":"' + url + b'"}', JSON


JSON = {"Content-Type": "application/json"}
WIDE = b'{"image":"' + "😀".encode() + b"A" * 19_900_000 + b'"}'
TOO_WIDE = b'{"image":"' + "😀".encode() + b"A" * 29_000_000 + b'"}'
SPACED = b'{"image":"' + b"A " * 14_000_000 + b'"}'
ATTACKS = {
    "40 MB in a form": lambda: as_form([padded(40_000_000)]),
    "40 MB as the body": lambda: (padded(40_000_000), {"Content-Type": "image/png"}),
    "39 MB of a data URL": lambda: as_data_url(noise(29_000_000)),
    "39 MB of base64 in pieces": lambda: (
        b'{"image":"' + base64.encodebytes(noise(29_000_000)).replace(b"\n", b" ") + b'"}',
        JSON,
    ),
    "39 MB that come as gzip": lambda: as_gzip(as_form([noise(9_700_000)] * 4)),
    "a gzip that unpacks": lambda: as_gzip((bytes(40_000_000), {"Content-Type": "image/png"})),
    "50 megapixels of a photograph": lambda: as_form([photograph((8160, 6120))] * 4),
    "24 megapixels, progressive": lambda: as_form([photograph((6000, 4000), progressive=True)] * 4),
    "ten megapixels of AVIF": lambda: as_form([avif(Image.new("RGB", (4000, 2500)))] * 4),
    "29 MB of base64": lambda: as_json([noise(7_200_000)] * 3),
    "29 MB in a form": lambda: as_form([noise(7_200_000)] * 4),
    "ten megapixels": lambda: as_form([blank((5000, 2000))] * 4),
    "ten transparent megapixels": lambda: as_form([blank((5000, 2000), "LA")] * 2),
    "nine million lists": lambda: (LISTS, JSON),
    "one wide character": lambda: (WIDE, JSON),
    "one wide character in 29 MB": lambda: (TOO_WIDE, JSON),
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
    print(f"{name}: at most {watch.most_bytes / 1e6:.0f} MB, {Counter(s for s, _ in answers)}")
    assert watch.most_bytes < MOST_WORKER_BYTES
    assert watch.slowest_seconds < PATIENCE
    served = {200, 400, 413, 422} if body[1] is JSON or "unpacks" in name else {200}
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
