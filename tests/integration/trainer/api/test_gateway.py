"""A real nginx before both services: who reaches what through it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from tests.support.models.bundles import png
from tests.support.services import services
from tests.support.services.services import TIMEOUT, Gateway, Service, needs_nginx

pytestmark = needs_nginx

ROUTES = (
    ("POST", "/datasets"),
    ("GET", "/datasets"),
    ("POST", "/jobs"),
    ("GET", "/jobs"),
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/docs"),
    ("POST", "/try"),
    ("GET", "/models/default"),
    ("POST", "/models/default/promote"),
    ("GET", "/models/default/corrections"),
    ("DELETE", "/models/default/corrections"),
    ("PUT", "/models/default/corrections"),
    ("POST", "/models/default/corrections/"),
    ("POST", "/models/default/corrections/1"),
    ("POST", "/models/default/corrections/../../../datasets"),
    ("POST", "/models/default/corrections%2f..%2f..%2f..%2fdatasets"),
    ("POST", "/datasets?/models/default/corrections"),
    ("POST", "/datasets#/models/default/corrections"),
    ("POST", "/datasets;/models/default/corrections"),
    ("POST", "/models/a%0d%0aX:%20y/corrections"),
    ("POST", "//datasets"),
)
HIDDEN = (
    "/datasets/%2e%2e/models/default/corrections",
    "/datasets/../models/default/corrections",
    "/datasets%3f/../models/default/corrections",
    "http://trainer:8000/datasets/../models/default/corrections",
)
"""What nginx reads as the one route, and another server might not."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[Service]:
    with services.trainer(folder, READSMITH_BEHIND_GATEWAY="1") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(folder: Path, trainer: Service) -> Iterator[Gateway]:
    with services.gateway(folder / "nginx", trainer, trainer) as running:
        yield running


def status(port: int, method: str, target: str, body: bytes = b"{}") -> int:
    """Send a target as it is, which no client library would do; return the answer's status."""
    request = (
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.sendall(request.encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(("method", "target"), ROUTES)
def test_the_predictors_port_leads_to_no_other_route_of_the_trainer(
    gateway: Gateway, trainer: Service, method: str, target: str
) -> None:
    before = trainer.log.read_text()
    body = b'{"url": "http://example.org/set.zip"}'
    assert status(gateway.corrections, method, target, body) in (400, 403)
    assert trainer.log.read_text() == before


@pytest.mark.parametrize("target", HIDDEN)
def test_what_reads_as_corrections_arrives_as_corrections(gateway: Gateway, target: str) -> None:
    assert status(gateway.corrections, "POST", target) in (400, 415, 422)


def test_a_refusal_is_a_problem_document(gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.corrections}/datasets"
    answer = requests.post(url, json={"url": "http://example.org/set.zip"}, timeout=TIMEOUT)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (403, "route_not_allowed")


def test_feedback_goes_through_the_predictors_port(
    folder: Path, trainer: Service, gateway: Gateway
) -> None:
    url = f"http://127.0.0.1:{gateway.corrections}"
    with services.predictor(folder, READSMITH_TRAINER_URL=url) as predictor:
        answer = requests.post(
            f"{predictor.url}/feedback",
            files={"image": png("ab")},
            data={"text": "AB"},
            timeout=TIMEOUT,
        )
    assert answer.status_code == 202, answer.text
    stored = requests.get(f"{trainer.url}/models/default/corrections", timeout=TIMEOUT)
    assert [each["text"] for each in stored.json()["data"]] == ["AB"]


@pytest.mark.parametrize(
    ("main", "open_ports"),
    [
        ("nginx.training.conf", {"trainer"}),
        ("nginx.prediction.conf", {"predictor", "corrections"}),
        ("nginx.conf", {"trainer", "predictor", "corrections"}),
    ],
)
def test_each_gateway_listens_for_its_own_servers_alone(
    tmp_path: Path, trainer: Service, main: str, open_ports: set[str]
) -> None:
    with services.gateway(tmp_path / "nginx", trainer, trainer, main=main) as running:
        answering = set()
        for name in ("trainer", "predictor", "corrections"):
            with suppress(OSError), ExitStack() as stack:
                address = ("127.0.0.1", getattr(running, name))
                stack.enter_context(socket.create_connection(address, timeout=TIMEOUT))
                answering.add(name)
    assert answering == open_ports


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({"Origin": "http://localhost:{port}"}, True),
        ({"Origin": "http://localhost:{other}"}, False),
        ({"Origin": "https://localhost:{port}"}, False),
        ({"Origin": "https://localhost:{port}", "X-Forwarded-Proto": "https"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({}, True),
    ],
)
def test_the_origin_of_a_page_is_compared_with_how_the_gateway_was_reached(
    gateway: Gateway, headers: dict[str, str], admitted: bool
) -> None:
    port, other = gateway.trainer, gateway.predictor
    sent = {name: value.format(port=port, other=other) for name, value in headers.items()}
    answer = requests.post(
        f"http://localhost:{port}/models/none/rollback", headers=sent, timeout=TIMEOUT
    )
    assert answer.status_code == (404 if admitted else 403), answer.text


def test_images_of_a_living_dataset_pass_the_trainers_port(gateway: Gateway) -> None:
    trainer = f"http://127.0.0.1:{gateway.trainer}"
    made = requests.post(f"{trainer}/datasets", json={"name": "large"}, timeout=TIMEOUT).json()
    at = f"{trainer}/datasets/{made['id']}/images"
    large = png("abca") + bytes(3_000_000)  # more than other bodies may have

    added = requests.post(at, files={"image": ("a.png", large)}, timeout=TIMEOUT)

    assert (added.status_code, added.json()["added"]) == (200, 1)
