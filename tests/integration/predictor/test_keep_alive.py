"""A connection whose request was rejected before its body was read is kept, or says it closes."""

import http.client
from collections.abc import Iterator

import pytest

from shared.access.api_keys import KeyFile
from shared.access.tokens import Scope
from tests.support.hostile.early_rejections import SIZES, next_answer_on_the_same_connection
from tests.support.services import services
from tests.support.services.services import Service

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
REJECTED = {
    "403": ("POST /predict", {"Host": "evil.example", **FORM}),
    "404": ("POST /nothing", FORM),
    "405": ("DELETE /predict", FORM),
    "415": ("POST /predict", {"Content-Type": "text/plain"}),
    "422": ("POST /predict?unknown=1", FORM),
    "503": ("POST /feedback", FORM),
    "200": ("GET /healthz", FORM),
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with services.predictor(tmp_path_factory.mktemp("keep_alive")) as service:
        yield service


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("status", REJECTED)
def test_the_next_request_on_the_connection_is_answered(
    predictor: Service, status: str, size: int, chunked: bool
) -> None:
    head, headers = REJECTED[status]
    found, closes, following = next_answer_on_the_same_connection(
        predictor.port, head, headers, size, chunked=chunked
    )
    assert found == int(status)
    assert not closes
    assert following == b"HTTP/1.1 200 OK\r\n"


def test_a_request_without_a_key_keeps_its_connection(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    keys = folder / "keys.json"
    token = KeyFile(keys).create("one", {Scope.PREDICT}, requests_per_minute=1)
    with services.predictor(folder, READSMITH_KEYS=str(keys)) as predictor:
        for key, status in ((None, 401), (token, 415), (token, 429)):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            found, closes, following = next_answer_on_the_same_connection(
                predictor.port, "POST /predict", headers, SIZES[0]
            )
            assert (found, closes, following) == (status, False, b"HTTP/1.1 200 OK\r\n")


def test_a_body_that_is_too_large_to_be_dropped_announces_a_close(predictor: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", predictor.port, timeout=60)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Type", "image/png")
    connection.putheader("Content-Length", "10000000000")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    connection.close()


def test_a_body_that_stops_coming_announces_a_close(predictor: Service) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", predictor.port, timeout=60)
    connection.putrequest("POST", "/nothing")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    connection.send(b"x" * 100_000)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (404, "close")
    connection.close()
