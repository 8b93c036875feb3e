"""Through a real nginx with gateway/nginx.conf no request hides in another, on either service."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile.raw_requests import complaints, requests
from tests.support.services import services
from tests.support.services.services import Gateway, Service, needs_nginx

pytestmark = needs_nginx


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[Service]:
    with services.trainer(folder) as running:
        yield running


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Iterator[Service]:
    with services.predictor(folder) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(folder: Path, trainer: Service, predictor: Service) -> Iterator[Gateway]:
    with services.gateway(folder / "nginx", trainer, predictor) as running:
        yield running


def test_nothing_hides_in_a_request_to_the_predictor(gateway: Gateway, predictor: Service) -> None:
    def seen() -> list[str]:
        lines = predictor.log.read_text().splitlines()
        return [json.loads(line).get("request_id", "") for line in lines]

    wrong = complaints(gateway.predictor, "/predict", seen)
    assert not wrong, "\n".join(wrong)
    print(f"predictor: each of {len(requests('/'))} odd requests refused or taken as one")


def test_nothing_hides_in_a_request_to_the_trainer(gateway: Gateway, trainer: Service) -> None:
    def seen() -> list[str]:
        return re.findall(r"case=([\w-]+)", trainer.log.read_text())

    wrong = complaints(gateway.trainer, "/jobs", seen)
    assert not wrong, "\n".join(wrong)
    print(f"trainer: each of {len(requests('/'))} odd requests refused or taken as one")
