"""A node is cut off from the others in mid-training, and comes back."""

import re
import time
from collections.abc import Iterator, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from readsmith.client import Client
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.figures import Figures, Loss
from tests.cluster.hosts import Host
from tests.cluster.readers import Answers, reading
from tests.cluster.services import JOBS_PER_NODE, PREDICTOR, STORAGE, TRAINER, times_joined
from tests.cluster.stories import Attempt, story
from tests.support.models.bundles import png
from tests.support.services.object_storage import BUCKET
from tests.support.services.workers import wait_until

JOBS = 6
EPOCHS = 40
CUT_SECONDS = 60.0
"""Longer than the lease, and than Ray's patience."""
TIMEOUT = 1800.0
PAUSE = 1.0
STARTER = ("starter", 1)

Stories = dict[str, list[Attempt]]
"""The attempts of each job."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    print(f"\nlogs: {tmp_path}/logs")
    with running_cluster(tmp_path) as it:
        yield it


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(PREDICTOR, TRAINER) as client:
        yield client


def test_a_node_cut_off_in_mid_training_costs_its_jobs_at_most_an_epoch(
    cluster: Cluster, client: Client
) -> None:
    begun = time.monotonic()
    with reading(PREDICTOR, png("ab")) as answers:
        jobs = [client.start_job(small_job(seed)).id for seed in range(JOBS)]
        victims = until_full(client, jobs, cluster.nodes[0])
        cut_at = cut_off(cluster, client, cluster.nodes[0], victims)
        until_succeeded(client, jobs)
        wide = [
            client.start_job(small_job(seed, cpus=JOBS_PER_NODE)).id for seed in (JOBS, JOBS + 1)
        ]
        until_succeeded(client, wide)
    wait_until(
        lambda: not any(node.runs("trainer.workers.job_process") for node in cluster.nodes),
        60,
        PAUSE,
    )
    stories = {job: story(client, job) for job in (*jobs, *wide)}
    versions = require_published_once(client, stories)
    require_all_answered(answers, versions)
    losses = {job: require_resumed_elsewhere(stories[job], cut_at) for job in victims}
    assert {stories[job][-1].machine for job in wide} == {node.name for node in cluster.nodes}
    Figures(stories, losses, answers, time.monotonic() - begun).tell()


def small_job(seed: int, cpus: int = 1) -> dict[str, Any]:
    """Return a request that trains for some dozens of seconds on one quiet core."""
    drawn = {"images": 150, "width": 96, "height": 32, "min_length": 2, "max_length": 3}
    return {
        "dataset": {"synthetic": {**drawn, "characters": "AHX47", "seed": seed}},
        "hyperparameters": {"epochs": EPOCHS // cpus**2, "patience": EPOCHS, "batch_size": 16},
        "promote": "always",
        "resources": {"cpus": cpus},
    }


def until_full(client: Client, jobs: Sequence[str], node: Host) -> list[str]:
    """Wait until a node has all the jobs that it takes, each in mid-training; return those."""

    there: list[str] = []

    def full() -> bool:
        latest = {job: attempts[-1] for job in jobs if (attempts := story(client, job))}
        there[:] = [
            job
            for job, attempt in latest.items()
            if attempt.machine == node.name and attempt.ended_at is None and len(attempt.epochs) > 2
        ]
        return len(there) == JOBS_PER_NODE

    wait_until(full, TIMEOUT, PAUSE)
    return there


def cut_off(cluster: Cluster, client: Client, node: Host, victims: Sequence[str]) -> datetime:
    """Cut a node off until its jobs go on elsewhere, and longer; return when that began."""
    cut_at, end = datetime.now(UTC), time.monotonic() + CUT_SECONDS
    cluster.network.cut_off(node)
    wait_until(lambda: all(went_on(client, job, cut_at) for job in victims), TIMEOUT, PAUSE)
    time.sleep(max(0.0, end - time.monotonic()))
    cluster.network.plug_in(node)
    wait_until(lambda: times_joined(node) == 2, TIMEOUT, PAUSE)
    return cut_at


def went_on(client: Client, job: str, after: datetime) -> bool:
    latest = story(client, job)[-1]
    return latest.began_at > after and bool(latest.epochs)


def until_succeeded(client: Client, jobs: Sequence[str]) -> None:
    wait_until(lambda: all(client.job(job).is_final for job in jobs), TIMEOUT, PAUSE)
    assert {client.job(job).status for job in jobs} == {"succeeded"}


def require_published_once(client: Client, stories: Stories) -> set[int]:
    """Each job has one version, which its last attempt published, and there are no others."""
    model = client.model("default")
    assert sorted(version.job_id or "" for version in model.versions) == sorted(stories)
    for job, attempts in stories.items():
        version = client.job(job).version
        path = f"{TRAINER}/models/default/versions/{version}/files/manifest.json"
        manifest = requests.get(path, timeout=30).json()
        assert (manifest["job_id"], manifest["attempt"]) == (job, attempts[-1].number)
    versions = {version.version for version in model.versions}
    assert manifests_in_the_bucket() == versions
    return versions


def manifests_in_the_bucket() -> set[int]:
    """Return the versions that have a manifest, whatever the model's record says."""
    query = {"list-type": "2", "prefix": "models/default/versions/"}
    listing = requests.get(f"{STORAGE}/{BUCKET}", params=query, timeout=30)
    return set(map(int, re.findall(r"versions/(\d+)/manifest.json<", listing.text)))


def require_all_answered(answers: Answers, versions: Set[int]) -> None:
    """No request failed, and each was read by the starter or by a published version."""
    assert not answers.failures
    assert set(answers.read_by) <= {STARTER} | {("default", version) for version in versions}
    assert len(answers.read_by) > 2


def require_resumed_elsewhere(attempts: Sequence[Attempt], cut_at: datetime) -> Loss:
    """A job that was cut off went on on another machine, at most an epoch before its end."""
    before = next(each for each in attempts if each.ended_at and each.ended_at > cut_at)
    after = attempts[before.number]
    assert before.machine == "node-1" and after.machine == "node-2"
    seconds = [
        (moment - cut_at).total_seconds()
        for moment in (before.ended_at, after.placed_at, after.resumed_at)
        if moment is not None
    ]
    assert len(seconds) == 3, "it began from the start"
    loss = Loss(before.epochs[-1] + 1 - after.epochs[0], *seconds)
    assert 0 <= loss.epochs <= 1
    return loss
