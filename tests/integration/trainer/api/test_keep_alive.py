"""A connection whose request was rejected before its body was read is kept, or says it closes."""

from collections.abc import Iterator

import pytest

from tests.support.hostile.early_rejections import SIZES, next_answer_on_the_same_connection
from tests.support.services import services
from tests.support.services.services import Service

JSON = {"Content-Type": "application/json"}
REJECTED = {
    "403": ("POST /jobs", {"Host": "evil.example", **JSON}),
    "404": ("POST /nothing", JSON),
    "405": ("PUT /jobs", JSON),
    "413": ("POST /jobs", JSON),
    "422": ("POST /jobs", {"Content-Type": "text/plain"}),
}


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with services.trainer(tmp_path_factory.mktemp("keep_alive")) as service:
        yield service


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("status", REJECTED)
def test_the_next_request_on_the_connection_is_answered_or_a_close_announced(
    trainer: Service, status: str, size: int, chunked: bool
) -> None:
    head, headers = REJECTED[status]
    found, closes, following = next_answer_on_the_same_connection(
        trainer.port, head, headers, size, chunked=chunked
    )
    assert 400 <= found < 500
    assert following == (b"" if closes else b"HTTP/1.1 200 OK\r\n")
