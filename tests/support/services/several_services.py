"""Two trainers and three workers on one PostgreSQL, one trainer killed: what must be true then."""

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from shared.store.store import ModelStore
from tests.support.jobs.killed_jobs import child
from tests.support.services import services
from tests.support.services.workers import start_worker, wait_until
from trainer.settings import Settings

WORKERS = 3


def run_jobs(folder: Path, database_url: str, count: int) -> None:
    """Post so many jobs to both trainers, kill one, and see each job run once.

    Every service has a state folder of its own: they share the database and the models alone.
    """
    shared = {"READSMITH_STORE": str(folder / "models"), "READSMITH_DATABASE_URL": database_url}
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(services.trainer(folder / name, None, **shared)) for name in "ab"
        )
        one, other = (
            stack.enter_context(httpx.Client(base_url=trainer.url, timeout=120))
            for trainer in (first, second)
        )
        ids = [post_to_both(one, other, f"key-{number}") for number in range(count)]
        assert len(set(ids)) == count
        for number in range(WORKERS):
            settings = Settings(
                store=folder / "models",
                state=folder / f"worker-{number}",
                database_url=database_url,
                retained_versions=count,
            )
            worker = start_worker(settings, child("small"))
            stack.callback(worker.wait)
            stack.callback(worker.kill)
        told = followed(other, ids[0])
        assert told[-1] == "succeeded"
        assert pages(one, ids[0]) == pages(other, ids[0])
        first.process.kill()
        assert other.post("/jobs", headers={"Idempotency-Key": "key-0"}).json()["id"] == ids[0]
        wait_until(lambda: all(job["finished_at"] for job in jobs(other, ids)), seconds=300)
        require_each_ran_once(jobs(other, ids), [pages(other, job_id) for job_id in ids])
    versions = ModelStore(folder / "models").versions("default")
    assert len(versions) == count


def post_to_both(one: httpx.Client, other: httpx.Client, key: str) -> str:
    """Post the same job to both trainers at the same time; returns its id."""
    with ThreadPoolExecutor(2) as pool:
        send = {"headers": {"Idempotency-Key": key}}
        answers = list(pool.map(lambda trainer: trainer.post("/jobs", **send), (one, other)))
    assert [answer.status_code for answer in answers] == [202, 202]
    (job_id,) = {answer.json()["id"] for answer in answers}
    return str(job_id)


def followed(trainer: httpx.Client, job_id: str) -> list[str]:
    """Follow a job's server-sent events to their end; returns its statuses."""
    accept = {"Accept": "text/event-stream"}
    with trainer.stream("GET", f"/jobs/{job_id}/events", headers=accept) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    told = [json.loads(line.removeprefix("data: ")) for line in lines]
    return [event["data"]["status"] for event in told if event["type"] == "status"]


def pages(trainer: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    """Return all events of a job."""
    found: list[dict[str, Any]] = trainer.get(f"/jobs/{job_id}/events?limit=1000").json()["data"]
    return found


def jobs(trainer: httpx.Client, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the jobs."""
    return [trainer.get(f"/jobs/{job_id}").json() for job_id in ids]


def require_each_ran_once(
    ended: Sequence[dict[str, Any]], events: Sequence[list[dict[str, Any]]]
) -> None:
    """Every job succeeded in its first attempt, and published a version of its own."""
    assert Counter(job["status"] for job in ended) == {"succeeded": len(ended)}
    assert {job["attempt"] for job in ended} == {1}
    assert len({job["version"] for job in ended}) == len(ended)
    for told in events:
        statuses = [event["data"]["status"] for event in told if event["type"] == "status"]
        assert statuses == ["queued", "running", "succeeded"]
