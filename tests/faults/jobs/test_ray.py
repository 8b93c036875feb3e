"""A Ray cluster that dies as a whole while it trains."""

from pathlib import Path

import pytest

from shared.api.jobs import Status
from tests.support.jobs.killed_jobs import child
from tests.support.services.ray_cluster import running_ray
from tests.support.services.services import free_port
from tests.support.services.workers import start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings


def test_a_cluster_that_dies_costs_its_jobs_no_loss_and_its_worker_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_ray(tmp_path / "nodes", free_port()) as cluster:
        settings = Settings(
            store=str(tmp_path / "models"),
            state=tmp_path / "state",
            executor="ray",
            ray_address=cluster.address,
        )
        database = Database(settings.jobs_database)
        store = JobStore(database, max_queued_jobs=10)
        job_id = store.create(JobRequest(metadata={"epoch_seconds": "600"})).id
        # Ray gives a lost cluster a minute before it ends whoever belongs to it.
        monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
        worker = start_worker(settings, child("small"))
        wait_until(lambda: store.get(job_id).stage is not None)
        cluster.kill_head()
        wait_until(lambda: store.get(job_id).status is Status.QUEUED)
        wait_until(lambda: store.worker_problems(60))
        events = [event.message for event in store.events(job_id, 100).data]
        assert events[-1] == "The Ray cluster is unreachable. Queued again."
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(60) == 0
        assert store.get(job_id).attempt == 1
        database.close()
