"""A search on a real Ray cluster of two nodes: trials at the same time, and a node that dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.api.jobs import Job, Status
from tests.support.jobs.killed_jobs import require_one_version
from tests.support.services.ray_cluster import CPUS, RayCluster, running_ray
from tests.support.services.services import free_port
from tests.support.services.workers import start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings
from trainer.workers.child import RUN_JOB

pytest.importorskip("ray", reason="readsmith[ray] is not installed")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RayCluster]:
    with running_ray(tmp_path / "nodes", free_port()) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, cluster: RayCluster) -> Settings:
    return Settings(
        store=str(tmp_path / "models"),
        state=tmp_path / "state",
        shared_files=str(tmp_path / "shared"),
        executor="ray",
        ray_address=cluster.address,
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    database = Database(settings.jobs_database)
    yield JobStore(database, max_queued_jobs=1)
    database.close()


def search(choices: list[int], epochs: int) -> JobRequest:
    return JobRequest.model_validate(
        {
            "dataset": {"synthetic": {"images": 60, "width": 64, "max_length": 1, "min_length": 1}},
            "hyperparameters": {"epochs": epochs, "width": 64},
            "search": {"parameters": {"batch_size": {"choices": choices}}},
            "resources": {"cpus": CPUS},
        }
    )


def running(job: Job) -> int:
    return sum(trial.status == "running" for trial in job.trials or [])


def epochs(job: Job) -> int:
    """Return those that both trials have trained."""
    trained = [trial.epochs for trial in job.trials or []]
    return min(trained) if len(trained) == 2 else 0


def test_trials_run_at_the_same_time_and_the_best_is_published_once(
    store: JobStore, settings: Settings
) -> None:
    job_id = store.create(search([8, 16], epochs=3)).id
    worker = start_worker(settings, RUN_JOB)
    try:
        wait_until(lambda: running(store.get(job_id)) == 2)
        wait_until(lambda: store.get(job_id).status.is_final)
    finally:
        worker.kill()
        worker.wait()
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert [(trial.status, trial.epochs) for trial in job.trials or []] == [("finished", 3)] * 2
    require_one_version(settings, job)


def test_a_trial_goes_on_elsewhere_when_its_node_dies(
    store: JobStore, settings: Settings, cluster: RayCluster
) -> None:
    job_id = store.create(search([8, 12, 16], epochs=8)).id
    worker = start_worker(settings, RUN_JOB)

    def trial_folders(node: str) -> list[Path]:
        return list((cluster.state(node) / "jobs" / job_id).glob("trial-*/checkpoint.npz"))

    try:
        wait_until(lambda: trial_folders("one") and trial_folders("two"))
        cluster.kill("one")
        wait_until(lambda: store.get(job_id).status.is_final)
    finally:
        worker.kill()
        worker.wait()
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert [trial.status for trial in job.trials or []] == ["finished"] * 3
    require_one_version(settings, job)


def test_a_search_that_is_asked_to_finish_ends_its_trials_on_their_nodes(
    store: JobStore, settings: Settings
) -> None:
    job_id = store.create(search([8, 16], epochs=10_000)).id
    worker = start_worker(settings, RUN_JOB)
    try:
        wait_until(lambda: epochs(store.get(job_id)) > 5)
        store.finish(job_id)
        wait_until(lambda: store.get(job_id).status.is_final)
    finally:
        worker.kill()
        worker.wait()
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert [trial.status for trial in job.trials or []] == ["finished"] * 2
    require_one_version(settings, job)
