"""Requests that take long, more than any limit lets in: others are answered all the while."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.hostile.bystander import bystander, resident_bytes
from tests.support.hostile.slow_calls import request, statuses, waiting
from tests.support.labelled_images import labelled_zip, texts
from tests.support.services import services
from tests.support.services.web_site import drip, serve

MEMORY = 512 << 20
"""What docker-compose.yml gives the trainer."""
TIMEOUT = 60.0

Record = Callable[[str, object], None]


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[services.Service]:
    with services.trainer(tmp_path, READSMITH_DOWNLOAD_ALLOW="127.0.0.1") as running:
        yield running


def attack(
    trainer: services.Service, sent: bytes, count: int, seconds: float, note: Record
) -> None:
    """Send a request so many times at once; leave after some seconds."""
    end = time.monotonic() + seconds
    with (
        bystander(trainer.url, "/healthz", "/jobs", "/readyz") as seen,
        waiting(trainer.port, sent, count) as clients,
    ):
        found = statuses(clients, seconds)
        memory = resident_bytes(trainer.process.pid)
        time.sleep(max(end - time.monotonic(), 0))
    note("others", str(seen))
    note("answered at once", str({one: found.count(one) for one in sorted(set(found))}))
    note("memory", f"{memory >> 20} MiB")
    assert memory < MEMORY
    seen.require_patience()


def test_downloads_that_drip(trainer: services.Service, record_property: Record) -> None:
    with serve({"/drip": drip}) as site:
        post = request("POST", "/datasets", {"url": f"{site.url}/drip"})
        attack(trainer, post, 42, 5, record_property)


def test_checks_at_once(trainer: services.Service, tmp_path: Path, record_property: Record) -> None:
    images = labelled_zip(tmp_path / "set.zip", texts(2000, seed=1)).read_bytes()
    sent = requests.post(f"{trainer.url}/datasets", files={"file": images}, timeout=TIMEOUT)
    check = request("POST", f"/datasets/{sent.json()['id']}/check", {})
    attack(trainer, check, 60, 20, record_property)


def test_streams_of_events(trainer: services.Service, record_property: Record) -> None:
    job = requests.post(f"{trainer.url}/jobs", timeout=TIMEOUT).json()["id"]
    follow = request("GET", f"/jobs/{job}/events", accept="text/event-stream")
    attack(trainer, follow, 400, 15, record_property)


def test_predictions_by_a_predictor_that_does_not_answer(
    tmp_path: Path, record_property: Record
) -> None:
    with (
        serve({"/models": drip}) as site,
        services.trainer(tmp_path, READSMITH_PREDICTOR_URL=site.url) as trainer,
    ):
        attack(trainer, request("GET", "/try/models"), 200, 10, record_property)
