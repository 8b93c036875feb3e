"""A real worker with real children; only the training inside the child is a stand-in."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.api.jobs import Job, Stage, Status
from tests.support.services.workers import alive_in_session, is_alive, start_worker, wait_until
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers.child import start_child

CHILD = """
import errno, os, signal, subprocess, sys, tempfile, time
from pathlib import Path
from shared.errors import TooFewImagesError
from trainer.schemas.progress import Progress, RunResult, Stage
from trainer.workers.job_process import execute

def run(claim, request, settings, observer):
    work = settings.scratch / claim.job_id
    work.mkdir(parents=True, exist_ok=True)
    (work / "pid").write_text(str(os.getpid()))
    observer.stage(Stage.TRAIN)
    what = request.metadata["do"]
    if what in ("forever", "hang"):
        tempfile.mkstemp()
    if what == "forever":
        grandchild = subprocess.Popen(["sleep", "60"])
        (work / "grandchild").write_text(str(grandchild.pid))
        while True:
            observer.checkpoint()
            time.sleep(0.05)
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (work / "ready").touch()
        while True:
            time.sleep(1)
    while what == "until finished" and not observer.finishing():
        observer.checkpoint()
        time.sleep(0.05)
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "die once" and claim.attempt == 1:
        os._exit(7)
    if what == "refuse":
        raise TooFewImagesError("too_few_images", "3 images were found.", "Send more.")
    if what == "bug":
        raise KeyError("secret")
    if what == "fill the disk":
        raise OSError(errno.ENOSPC, "No space left on device", "x.h5")
    if what == "eat memory":
        raise MemoryError
    observer.progress(Progress(epoch=1, epochs=2, loss=float(what == "ok") / 2,
        validation_loss=1, exact_match=0.5, images_per_second=1, seconds=1, seconds_left=60))
    observer.may_publish()
    return RunResult.model_validate_json(Path(sys.argv[1]).read_text())

execute(sys.stdin.read(), run)
"""

StartWorker = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture(name="start_worker")
def _start_worker(settings: Settings, tmp_path: Path, result: RunResult) -> Iterator[StartWorker]:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "result.json").write_text(result.model_dump_json())
    child = [str(tmp_path / "child.py"), str(tmp_path / "result.json")]
    started = []

    def start() -> "subprocess.Popen[bytes]":
        started.append(start_worker(settings, child))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


@pytest.fixture(autouse=True)
def only_sqlite(database: Any) -> None:
    if database.reading.dialect.name != "sqlite":
        pytest.skip("the processes use the default database")


def post(store: JobStore, what: str) -> str:
    return store.create(JobRequest(metadata={"do": what})).id


def outcome(store: JobStore, job_id: str) -> Job:
    wait_until(lambda: store.get(job_id).status.is_final)
    return store.get(job_id)


def number_in(path: Path) -> int:
    wait_until(lambda: path.is_file() and path.read_text())
    return int(path.read_text())


def test_jobs_run_to_their_end_one_after_the_other(
    store: JobStore, start_worker: StartWorker, settings: Settings
) -> None:
    good, refused, bug, full, memory = (
        post(store, what) for what in ("ok", "refuse", "bug", "fill the disk", "eat memory")
    )
    start_worker()
    job = outcome(store, good)
    assert (job.status, job.version, job.attempt) == (Status.SUCCEEDED, 1, 1)
    assert job.progress is not None and job.progress.estimated_finish_at > job.created_at
    errors = [outcome(store, job_id).error for job_id in (refused, bug, full, memory)]
    codes = [error.code for error in errors if error]
    assert codes == ["too_few_images", "internal_error", "disk_full", "out_of_memory"]
    assert errors[0] is not None and errors[0].hint == "Send more."
    assert errors[1] is not None and "secret" not in errors[1].message
    wait_until(lambda: not list(settings.scratch.iterdir()))
    assert store.live_workers(30) == 1


def test_a_child_that_always_dies_fails_the_job_and_says_how_it_died(
    store: JobStore, start_worker: StartWorker
) -> None:
    job_id = post(store, "die")
    start_worker()
    job = outcome(store, job_id)
    assert (job.status, job.attempt) == (Status.FAILED, 3)
    assert job.error is not None and job.error.code == "child_died"
    assert "SIGKILL" in job.error.message and "memory" in job.error.message


def test_a_child_that_starts_while_the_database_is_away_makes_no_other_and_waits(
    store: JobStore, queue: JobQueue, settings: Settings, result: RunResult, tmp_path: Path
) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "result.json").write_text(result.model_dump_json())
    job_id = post(store, "ok")
    claim = queue.claim()
    file, elsewhere = settings.state / "jobs.sqlite", tmp_path / "elsewhere"
    store._database.close()  # so that nothing is left in its log
    file.rename(elsewhere)
    order = {"claim": claim, "settings": settings.model_dump(mode="json")}
    arguments = [str(tmp_path / "child.py"), str(tmp_path / "result.json")]
    child = start_child(order, arguments)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(6)
    assert not file.exists()
    elsewhere.rename(file)
    child.wait(60)
    assert outcome(store, job_id).status is Status.SUCCEEDED


def test_a_child_that_dies_once_is_tried_again(store: JobStore, start_worker: StartWorker) -> None:
    job_id = post(store, "die once")
    start_worker()
    job = outcome(store, job_id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 2)
    messages = [event.message for event in store.events(job_id, 20).data]
    assert any("exit code 7" in message for message in messages)


@pytest.mark.parametrize("what", ["forever", "hang"])
def test_a_cancelled_job_leaves_nothing_even_if_its_child_does_not_listen(
    store: JobStore,
    start_worker: StartWorker,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    job_id = post(store, what)
    start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    if what == "hang":
        wait_until((settings.scratch / job_id / "ready").exists)
    store.cancel(job_id)
    assert outcome(store, job_id).status is Status.CANCELLED
    wait_until(lambda: not alive_in_session(child))
    wait_until(lambda: not (settings.scratch / job_id).exists())
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(("what", "begun"), [("forever", "grandchild"), ("hang", "ready")])
def test_a_stopped_worker_hands_its_job_back_and_leaves_no_process(
    store: JobStore, start_worker: StartWorker, settings: Settings, what: str, begun: str
) -> None:
    job_id = post(store, what)
    worker = start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    wait_until((settings.scratch / job_id / begun).exists)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert store.get(job_id).status is Status.QUEUED
    assert not alive_in_session(child)
    assert store.live_workers(30) == 0


def test_a_child_that_is_told_to_stop_with_its_worker_has_lost_no_try(
    store: JobStore, start_worker: StartWorker, settings: Settings
) -> None:
    """systemd, for one, sends SIGTERM to all processes of a service."""
    job_id = post(store, "forever")
    worker = start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    worker.send_signal(signal.SIGTERM)
    os.kill(child, signal.SIGTERM)
    assert worker.wait(30) == 0
    (*_, last) = store.events(job_id, 20).data
    assert last.message == "The worker was stopped; queued again."


def test_a_killed_worker_takes_its_child_along_and_the_next_one_takes_the_job(
    store: JobStore,
    queue: JobQueue,
    start_worker: StartWorker,
    settings: Settings,
    expire: Callable[[], None],
) -> None:
    job_id = post(store, "forever")
    worker = start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    worker.kill()
    wait_until(lambda: not is_alive(child))
    assert store.get(job_id).status is Status.RUNNING
    expire()
    start_worker()
    wait_until(lambda: store.get(job_id).attempt == 2)


def test_a_job_in_training_is_finished_by_whoever_has_it_when_a_worker_was_killed(
    store: JobStore, start_worker: StartWorker, settings: Settings, expire: Callable[[], None]
) -> None:
    job_id = post(store, "until finished")
    worker = start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    wait_until(lambda: store.get(job_id).stage is Stage.TRAIN)
    worker.kill()
    wait_until(lambda: not is_alive(child))
    assert store.finish(job_id).finish_requested
    expire()
    start_worker()
    job = outcome(store, job_id)
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 2)
    assert job.finish_requested


def test_a_child_whose_job_was_taken_away_is_stopped(
    store: JobStore,
    queue: JobQueue,
    start_worker: StartWorker,
    settings: Settings,
    expire: Callable[[], None],
) -> None:
    job_id = post(store, "hang")
    start_worker()
    child = number_in(settings.scratch / job_id / "pid")
    expire()
    taken = queue.claim()
    assert taken is not None
    wait_until(lambda: not is_alive(child))
    queue.renew(taken)  # the new holder still has it
