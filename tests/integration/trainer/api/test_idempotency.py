from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.labelled_images import write_zip
from tests.support.services import services

TOGETHER = 20


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A real trainer."""
    with (
        services.trainer(tmp_path_factory.mktemp("trainer")) as service,
        httpx.Client(base_url=service.url, timeout=120) as client,
    ):
        yield client


def post(trainer: httpx.Client, key: str, seed: int = 1) -> httpx.Response:
    return trainer.post("/jobs", json={"seed": seed}, headers={"Idempotency-Key": key})


def count(trainer: httpx.Client) -> int:
    return len(trainer.get("/jobs?limit=100").json()["data"])


def test_requests_with_one_key_at_the_same_time_make_one_job(trainer: httpx.Client) -> None:
    before = count(trainer)
    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(lambda _: post(trainer, "together"), range(TOGETHER)))
    assert Counter(answer.status_code for answer in answers) == {202: TOGETHER}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count(trainer) == before + 1


def test_of_two_bodies_with_one_key_at_the_same_time_one_is_refused(trainer: httpx.Client) -> None:
    before = count(trainer)
    with ThreadPoolExecutor(TOGETHER) as pool:
        answers = list(pool.map(lambda n: post(trainer, "two", seed=n % 2), range(TOGETHER)))
    assert Counter(answer.status_code for answer in answers) == {
        202: TOGETHER // 2,
        422: TOGETHER // 2,
    }
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 422}
    assert refused == {"idempotency_key_reused"}
    assert count(trainer) == before + 1


def test_a_repeated_request_gives_its_job_though_its_dataset_is_gone(
    trainer: httpx.Client, tmp_path: Path
) -> None:
    zip_file = write_zip(tmp_path / "x.zip", {"a.png": b"a"})
    dataset = trainer.post("/datasets", files={"file": zip_file.read_bytes()}).json()["id"]
    send = {"json": {"dataset": {"id": dataset}}, "headers": {"Idempotency-Key": "gone"}}
    job = trainer.post("/jobs", **send).json()["id"]  # type: ignore[arg-type]
    refusal = trainer.delete(f"/datasets/{dataset}")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "dataset_in_use")
    trainer.post(f"/jobs/{job}/cancel")
    assert trainer.delete(f"/datasets/{dataset}").status_code == 204
    assert trainer.get(f"/datasets/{dataset}").status_code == 404
    assert trainer.post("/jobs", **send).json()["id"] == job  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["", "a b", "é", "a" * 256, "\x7f"])
def test_a_key_that_cannot_be_one_is_refused(trainer: httpx.Client, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = trainer.post("/jobs", headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "idempotency-key"


def test_the_longest_key_is_taken(trainer: httpx.Client) -> None:
    assert post(trainer, "~" * 255).status_code == 202
