"""Processes that are killed, stopped or out of time while they work on a job.

The workers, their children, the checkpoints and the publication are real; only TensorFlow is not
there. The long form, with it, is tests/faults/jobs/test_kills.py.
"""

import os
import pkgutil
import signal
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.api.jobs import Status
from shared.store.store import ModelStore
from tests.support.jobs.kill_points import POINTS, fallen
from tests.support.jobs.killed_jobs import (
    child,
    epochs_told,
    events,
    require_one_version,
    require_right_end,
    until_over,
    workers,
)
from tests.support.jobs.observer import Recorder
from tests.support.services.workers import is_alive, start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.downloads.fetch import fetch
from trainer.schemas.job_request import DatasetRequest, JobRequest, Synthetic
from trainer.schemas.limits import DownloadRules
from trainer.schemas.progress import CancelledRunError
from trainer.settings import Settings

STRIKES = ", ".join(
    (
        "checkpoint kills child",
        "checkpoint kills worker",
        "files kills child",
        "record kills worker",
        "commit kills child",
    )
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        store=tmp_path / "models", state=tmp_path / "state", lease_seconds=1, max_attempts=50
    )


@pytest.fixture(autouse=True)
def only_sqlite(database: Database) -> None:
    if database.reading.dialect.name != "sqlite":
        pytest.skip("the processes use the default database")


def post(store: JobStore, **metadata: str) -> str:
    return store.create(JobRequest(metadata=metadata)).id


def shift_leases(database: Database, seconds: int) -> None:
    """As if the database's clock had jumped the other way."""
    with database.writing.begin() as connection:
        leases = text("UPDATE jobs SET lease_until = lease_until + :seconds")
        connection.execute(leases, {"seconds": seconds})


def test_a_job_ends_right_however_often_its_processes_are_killed(
    store: JobStore, settings: Settings
) -> None:
    job_id = post(store, strikes=STRIKES)
    with workers(settings, "small") as running:
        until_over(store, [job_id], settings, "small", running)
    require_right_end(store, settings, job_id, STRIKES)
    # the two attempts that were killed while they published had numbers of their own
    assert ModelStore(settings.store).versions("default") == [3]


def test_each_point_at_which_the_long_tests_strike_is_still_in_the_code() -> None:
    for point in POINTS.values():
        assert callable(pkgutil.resolve_name(point.target))


@pytest.mark.parametrize("where", ["checkpoint", "files"])
def test_a_worker_that_comes_back_late_writes_and_publishes_nothing(
    store: JobStore, settings: Settings, where: str
) -> None:
    job_id = post(store, strikes=f"{where} stops both")
    with workers(settings, "small") as (late,):
        wait_until(lambda: fallen(settings, job_id))
        _, late_child = fallen(settings, job_id)[0]
        wait_until(lambda: is_stopped(late.pid) and is_stopped(late_child))
        stop_outside_transactions(settings, late.pid)
        with workers(settings, "small"):
            wait_until(lambda: store.get(job_id).status is Status.SUCCEEDED)
            seen = told_by_attempt(store, job_id)
            os.kill(late_child, signal.SIGCONT)
            wait_until(lambda: not is_alive(late_child))
            os.kill(late.pid, signal.SIGCONT)
        assert late.poll() is None, "it goes on with other jobs"
    job = store.get(job_id)
    assert told_by_attempt(store, job_id)[1] == seen[1]
    require_one_version(settings, job)
    assert job.version is not None
    assert ModelStore(settings.store).manifest("default", job.version).attempt > 1
    left = [path.name for path in Path(settings.store).glob("default/versions/*")]
    assert left == [str(job.version)]


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def stop_outside_transactions(settings: Settings, pid: int) -> None:
    """Let a stopped process go on until it holds no lock of the database: nobody could write."""
    while True:
        with closing(sqlite3.connect(settings.state / "jobs.sqlite", timeout=0.5)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.01)
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda: is_stopped(pid))
            else:
                return


def told_by_attempt(store: JobStore, job_id: str) -> dict[int, list[int]]:
    """Return the epochs that each attempt told."""
    told: defaultdict[int, list[int]] = defaultdict(list)
    for event in events(store, job_id):
        if event.type == "progress":
            told[event.data["loss"]].append(event.data["epoch"])
    return told


def test_a_job_is_cancelled_only_once_its_processes_are_gone_also_with_a_short_lease(
    store: JobStore, settings: Settings
) -> None:
    settings = settings.model_copy(update={"lease_seconds": 4})
    job_id = post(store, strikes="checkpoint hangs")
    with workers(settings, "small"):
        wait_until(lambda: fallen(settings, job_id))
        store.cancel(job_id)
        wait_until(lambda: store.get(job_id).status is Status.CANCELLED)
        ((_, late_child),) = fallen(settings, job_id)
        assert not is_alive(late_child)


def test_a_busy_worker_notices_that_another_is_lost(store: JobStore, settings: Settings) -> None:
    lost, busy = (post(store, epoch_seconds=seconds) for seconds in ("60", "60"))
    with workers(settings, "small", 2) as running:
        wait_until(lambda: all(store.get(job_id).stage for job_id in (lost, busy)))
        running[0].kill()
        wait_until(lambda: Status.QUEUED in (store.get(lost).status, store.get(busy).status))
        assert Status.RUNNING in (store.get(lost).status, store.get(busy).status)


def test_workers_with_wrong_clocks_agree_on_who_holds_a_job(
    store: JobStore, settings: Settings
) -> None:
    settings = settings.model_copy(update={"lease_seconds": 30})
    job_id = post(store, epoch_seconds="0.6")
    both = [start_worker(settings, child("small"), shift) for shift in (3600, -3600)]
    try:
        wait_until(lambda: store.get(job_id).status is Status.SUCCEEDED)
    finally:
        for worker in both:
            worker.kill()
            worker.wait()
    assert store.get(job_id).attempt == 1


def test_a_job_ends_right_though_the_databases_clock_jumps(
    store: JobStore, database: Database, settings: Settings
) -> None:
    job_id = post(store, epoch_seconds="0.5")
    with workers(settings, "small", 2):
        wait_until(lambda: epochs_told(store, job_id))
        shift_leases(database, -3600)
        wait_until(lambda: store.get(job_id).status.is_final)
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED
    require_one_version(settings, job)


def test_a_drawing_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    dataset = DatasetRequest(synthetic=Synthetic(images=50))
    with pytest.raises(CancelledRunError):
        fetch(dataset, tmp_path, FolderFiles(tmp_path), Recorder(cancel_after=3), DownloadRules())
    assert not list(tmp_path.glob("*.part"))
