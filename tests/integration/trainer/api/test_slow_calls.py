"""Requests that take long have limits of their own: nobody else waits, who leaves is forgotten."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from anyio import to_thread
from fastapi.testclient import TestClient

from tests.support.hostile.bystander import bystander, checks
from tests.support.hostile.slow_calls import request, statuses, waiting
from tests.support.labelled_images import labelled_zip, texts
from tests.support.services import services
from tests.support.services.web_site import Site, answer, drip, serve
from trainer.api.app import create_app
from trainer.api.slow_calls import thread_pool
from trainer.api.slow_calls.event_streams import MOST_STREAMS
from trainer.api.slow_calls.thread_pool import ThreadPoolWatch
from trainer.settings import Settings

TIMEOUT = 60.0


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    folder = tmp_path_factory.mktemp("trainer")
    with services.trainer(folder, READSMITH_DOWNLOAD_ALLOW="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def zip_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("set") / "set.zip"
    return labelled_zip(path, texts(300, seed=1)).read_bytes()


@pytest.fixture
def site(zip_file: bytes) -> Iterator[Site]:
    pages = {"/drip": drip, "/set.zip": lambda handler: answer(handler, zip_file)}
    with serve(pages) as running:
        yield running


def soon(true: Callable[[], bool]) -> bool:
    """Say whether something comes true before anybody gives up."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.2)
    return False


def downloads(trainer: services.Service, site: Site) -> bool:
    body = {"url": f"{site.url}/set.zip"}
    done = requests.post(f"{trainer.url}/datasets", json=body, timeout=TIMEOUT)
    return done.status_code == 201


def test_downloads_that_drip_hold_up_nobody_and_end_with_their_clients(
    trainer: services.Service, site: Site
) -> None:
    post = request("POST", "/datasets", {"url": f"{site.url}/drip"})
    with (
        bystander(trainer.url, "/healthz", "/jobs", "/readyz") as seen,
        waiting(trainer.port, post, 42) as clients,
    ):
        assert statuses(clients, 3) == [429] * 36
        assert len(site.hits) == 2
        full = requests.post(f"{trainer.url}/datasets", json={"url": site.url}, timeout=TIMEOUT)
        assert (full.status_code, full.json()["code"]) == (429, "busy")
        assert full.headers["retry-after"] == "5"
    seen.require_patience()
    assert soon(lambda: downloads(trainer, site))
    assert site.hits.count("/drip") == 2  # those that waited for a turn never began


def test_a_check_ends_with_its_client(
    trainer: services.Service, site: Site, zip_file: bytes
) -> None:
    dataset = requests.post(
        f"{trainer.url}/datasets", files={"file": zip_file}, timeout=TIMEOUT
    ).json()
    check = request("POST", f"/datasets/{dataset['id']}/check", {})
    with bystander(trainer.url, "/healthz", "/jobs", "/readyz") as seen:
        with waiting(trainer.port, check, 12) as clients:
            assert 429 in statuses(clients, 1)
        assert soon(lambda: not checks(trainer.process.pid))
    seen.require_patience()
    again = requests.post(f"{trainer.url}/datasets/{dataset['id']}/check", json={}, timeout=TIMEOUT)
    assert (again.status_code, again.json()["summary"]["images"]) == (200, 300)


def test_streams_are_limited_and_their_places_are_free_again(trainer: services.Service) -> None:
    job = requests.post(f"{trainer.url}/jobs", timeout=TIMEOUT).json()["id"]
    follow = request("GET", f"/jobs/{job}/events", accept="text/event-stream")
    with bystander(trainer.url, "/healthz", "/jobs", "/readyz") as seen:
        for _ in range(2):
            with waiting(trainer.port, follow, MOST_STREAMS + 10) as clients:
                found = statuses(clients, 20)
            assert (found.count(200), found.count(429)) == (MOST_STREAMS, 10)
            time.sleep(1)
    seen.require_patience()


def test_head_leaves_the_connection_to_the_next_request(trainer: services.Service) -> None:
    job = requests.post(f"{trainer.url}/jobs", timeout=TIMEOUT).json()["id"]
    stream = request("HEAD", f"/jobs/{job}/events", accept="text/event-stream")
    sent = stream + request("HEAD", "/jobs") + request("GET", "/healthz")
    with waiting(trainer.port, sent, 1) as [client]:
        client.settimeout(TIMEOUT)
        received = b""
        while not received.endswith(b'{"status":"ok"}'):
            received += client.recv(65536)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert b"has_more" not in received


def test_a_pool_without_a_free_thread_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_pool, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(thread_pool, "EVERY_SECONDS", 0.01)

    async def problems() -> list[str | None]:
        threads = to_thread.current_default_thread_limiter()
        borrowers = [object() for _ in range(int(threads.total_tokens))]
        watch = ThreadPoolWatch()
        running = asyncio.create_task(watch.run())
        await asyncio.sleep(0.5)
        found = [watch.problem()]
        for borrower in borrowers:
            await threads.acquire_on_behalf_of(borrower)
        await asyncio.sleep(0.5)
        found.append(watch.problem())
        for borrower in borrowers:
            threads.release_on_behalf_of(borrower)
        await asyncio.sleep(0.5)
        found.append(watch.problem())
        running.cancel()
        return found

    free, stuck, free_again = asyncio.run(problems())
    assert (free, free_again) == (None, None)
    assert stuck is not None and "no thread" in stuck

    app = create_app(settings)
    monkeypatch.setattr(app.state.services.thread_pool, "problem", lambda: stuck)
    answer = TestClient(app).get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": f"stuck: {stuck}"})
