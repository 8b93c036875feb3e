"""A real worker, a real Ray cluster of two nodes, real children; only the training is a stand-in.

The two nodes are on this machine, but share nothing except what the settings name.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from readsmith.commands.doctor import ray as doctor_ray
from readsmith.commands.doctor.finding import Severity
from shared.api.jobs import Job, Status
from shared.errors import ReadsmithError
from tests.support.jobs.killed_jobs import epochs_told, require_one_version
from tests.support.services.ray_cluster import CPUS, RayCluster, kill_link, running_ray
from tests.support.services.services import free_port
from tests.support.services.workers import alive_in_session, is_alive, start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import (
    DatasetRequest,
    Hyperparameters,
    JobRequest,
    Resources,
    Synthetic,
)
from trainer.settings import Settings
from trainer.workers.ray.executor import ONE_MACHINE
from trainer.workers.worker import make_executor

CHILD = """
import os, signal, subprocess, sys, time
from pathlib import Path
from trainer.schemas.progress import Stage
from trainer.workers.job_process import execute
from tests.support.jobs.small_run import small_run

def run(claim, request, settings, observer):
    work = settings.scratch / claim.job_id
    seen = Path(request.metadata["folder"])
    what = request.metadata["do"]
    if what == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if what != "publish":
        subprocess.Popen(["sleep", "600"])
        (seen / f"{claim.job_id}.part").write_text(
            f"{os.getpid()} {os.environ['TF_NUM_INTRAOP_THREADS']}"
        )
        (seen / f"{claim.job_id}.part").rename(seen / claim.job_id)
    while what == "hang":
        time.sleep(1)
    while what == "forever":
        observer.checkpoint()
        time.sleep(0.05)
    return small_run(claim, request, settings, observer)

execute(sys.stdin.read(), run)
"""
ONE_NODE = Resources(cpus=CPUS)

StartWorker = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with running_ray(tmp_path_factory.mktemp("nodes"), free_port()) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, cluster: RayCluster) -> Settings:
    return Settings(
        store=str(tmp_path / "models"),
        state=tmp_path / "state",
        shared_files=str(tmp_path / "shared"),
        executor="ray",
        ray_address=cluster.address,
        jobs_in_flight=8,
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    database = Database(settings.jobs_database)
    yield JobStore(database, max_queued_jobs=100)
    database.close()


@pytest.fixture(name="start_worker")
def _start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    (tmp_path / "child.py").write_text(CHILD)
    started = []

    def start(settings: Settings, *child: str) -> "subprocess.Popen[bytes]":
        started.append(start_worker(settings, child or [str(tmp_path / "child.py")]))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


@pytest.fixture
def post(store: JobStore, tmp_path: Path) -> Callable[..., str]:
    def post(what: str, resources: Resources = ONE_NODE, **metadata: str) -> str:
        metadata |= {"do": what, "folder": str(tmp_path)}
        return store.create(JobRequest(metadata=metadata, resources=resources)).id

    return post


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[str], tuple[int, int]]:
    """Wait until a job's child runs; return its process id and its number of threads."""

    def begun(job_id: str) -> tuple[int, int]:
        wait_until((tmp_path / job_id).exists)
        pid, threads = (tmp_path / job_id).read_text().split()
        (tmp_path / job_id).unlink()
        return int(pid), int(threads)

    return begun


def outcome(store: JobStore, job_id: str) -> Job:
    wait_until(lambda: store.get(job_id).status.is_final)
    return store.get(job_id)


def told(store: JobStore, job_id: str) -> str:
    return " ".join(event.message for event in store.events(job_id, 1000).data)


def test_jobs_run_as_far_as_there_is_room_and_leave_no_process_when_cancelled(
    store: JobStore,
    settings: Settings,
    start_worker: StartWorker,
    post: Callable[..., str],
    begun: Callable[[str], tuple[int, int]],
) -> None:
    held = [post("forever"), post("hang")]
    start_worker(settings)
    children, threads = zip(*map(begun, held), strict=True)
    assert threads == (CPUS, CPUS)
    waiting = [post("forever") for _ in range(4)]
    wait_until(lambda: "until a machine of the cluster has room" in told(store, waiting[0]))
    statuses = [store.get(job_id).status for job_id in waiting]
    assert statuses == [Status.RUNNING, Status.RUNNING, Status.QUEUED, Status.QUEUED]
    for job_id in (*held, *waiting[1:]):
        store.cancel(job_id)
    assert [outcome(store, job_id).status for job_id in held] == [Status.CANCELLED] * 2
    wait_until(lambda: not [pid for child in children for pid in alive_in_session(child)])
    begun(waiting[0])


def test_a_stopped_worker_hands_its_jobs_back_and_leaves_no_process(
    store: JobStore,
    settings: Settings,
    start_worker: StartWorker,
    post: Callable[..., str],
    begun: Callable[[str], tuple[int, int]],
) -> None:
    job_ids = [post("forever"), post("hang")]
    worker = start_worker(settings)
    children = [begun(job_id)[0] for job_id in job_ids]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert [store.get(job_id).status for job_id in job_ids] == [Status.QUEUED] * 2
    assert not [pid for child in children for pid in alive_in_session(child)]


def test_a_lost_cluster_is_found_again_and_a_killed_worker_takes_its_children_along(
    store: JobStore,
    settings: Settings,
    start_worker: StartWorker,
    post: Callable[..., str],
    begun: Callable[[str], tuple[int, int]],
) -> None:
    job_id = post("hang")
    worker = start_worker(settings)
    first, _ = begun(job_id)
    kill_link(worker.pid)
    second, _ = begun(job_id)
    assert not is_alive(first)
    assert "The Ray cluster is unreachable. Queued again." in told(store, job_id)
    assert store.get(job_id).attempt == 2
    worker.kill()
    wait_until(lambda: not is_alive(second))


def test_a_job_goes_on_elsewhere_when_its_machine_dies(
    store: JobStore,
    settings: Settings,
    start_worker: StartWorker,
    post: Callable[..., str],
    cluster: RayCluster,
) -> None:
    job_id = post("publish", epoch_seconds="2")
    start_worker(settings)
    wait_until(lambda: len(epochs_told(store, job_id)) >= 2)
    (first,) = (name for name in ("one", "two") if cluster.runs(name, job_id))
    cluster.kill(first)
    job = outcome(store, job_id)
    cluster.add(first)
    assert job.status is Status.SUCCEEDED, job.error
    assert "Ray lost the attempt on machine" in told(store, job_id)
    epochs = epochs_told(store, job_id)
    assert epochs in ([1, 2, 3, 4], [1, 2, 2, 3, 4], [1, 2, 3, 3, 4], [1, 2, 3, 4, 4])
    assert job.attempt >= 2
    require_one_version(settings, job)
    shared = Path(str(settings.shared_files))
    wait_until(lambda: not list(shared.glob("jobs/*/*")))


def test_a_job_that_fits_no_machine_says_so_and_lets_others_pass(
    store: JobStore,
    settings: Settings,
    start_worker: StartWorker,
    post: Callable[..., str],
    cluster: RayCluster,
) -> None:
    """The worker is none of the cluster's machines: it reaches it through its client port."""
    gpus, cpus = post("forever", Resources(gpus=8)), post("forever", Resources(cpus=3))
    small = post("publish")
    outside = {"ray_address": cluster.client_address, "jobs_in_flight": 3}
    start_worker(settings.model_copy(update=outside))
    assert outcome(store, small).status is Status.SUCCEEDED
    sentence = "No machine of the cluster has {}; waiting for one."
    wait_until(lambda: sentence.format("8 GPUs") in told(store, gpus))
    wait_until(lambda: sentence.format("3 CPUs") in told(store, cpus))
    store.cancel(gpus)
    assert outcome(store, gpus).status is Status.CANCELLED


def test_without_a_cluster_jobs_wait_and_the_worker_says_why(
    store: JobStore, settings: Settings, start_worker: StartWorker, post: Callable[..., str]
) -> None:
    job_id = post("publish")
    nowhere = f"ray://127.0.0.1:{free_port()}"
    worker = start_worker(settings.model_copy(update={"ray_address": nowhere, "lease_seconds": 3}))
    wait_until(lambda: store.worker_problems(60))
    (problem,) = store.worker_problems(60)
    assert problem.startswith(f"The Ray cluster {nowhere} is unreachable: ")
    assert store.get(job_id).attempt == 0
    worker.terminate()
    assert worker.wait(60) == 0


def test_doctor_tells_what_the_cluster_has(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("READSMITH_EXECUTOR", "ray")
    monkeypatch.setenv("READSMITH_RAY_ADDRESS", settings.ray_address)
    monkeypatch.setenv("READSMITH_STATE", str(tmp_path))
    has, database = doctor_ray.cluster()
    assert has.message == f"{settings.ray_address}: 3 machines, 4 CPUs, 0 GPUs"
    assert (database.state, database.message) == (Severity.WARNING, ONE_MACHINE)


def test_a_real_training_runs_on_the_cluster(
    store: JobStore, settings: Settings, start_worker: StartWorker, cluster: RayCluster
) -> None:
    request = JobRequest(
        dataset=DatasetRequest(synthetic=Synthetic(images=40, characters="ab", max_length=5)),
        hyperparameters=Hyperparameters(epochs=1),
        resources=Resources(cpus=1, memory_bytes=10**8),
    )
    job_id = store.create(request).id
    start_worker(settings, "-m", "trainer.workers.job_process")
    job = outcome(store, job_id)
    assert job.status is Status.SUCCEEDED or (job.error and job.error.code == "did_not_learn")
    assert epochs_told(store, job_id)
    drawn = [list(cluster.state(name).glob("cache/*.zip")) for name in ("one", "two")]
    assert sum(map(len, drawn)) == 1  # on the machine, not here
    assert not list(settings.state.glob("cache/*"))


def test_a_missing_package_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.workers.executors.find_spec", lambda name: None)
    with pytest.raises(ReadsmithError, match="needs the package ray") as raised:
        make_executor(settings)
    assert raised.value.hint == "pip install 'readsmith[ray]'"


def test_the_local_worker_knows_nothing_of_ray() -> None:
    code = "import sys, trainer.workers.worker; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        ({"cpus": 0}, "greater than or equal to 0.01"),
        ({"cpus": 1025}, "less than or equal to 1024"),
        ({"cpus": 0.333}, "at most two decimals"),
        ({"gpus": 1.5}, "a whole number, or a share of one GPU"),
        ({"gpus": -1}, "greater than or equal to 0"),
        ({"memory_bytes": 0}, "greater than or equal to 1"),
        ({"memory_bytes": 1.5}, "valid integer"),
        ({"disks": 1}, "not permitted"),
    ],
)
def test_resources_are_checked_before_a_job_is_queued(
    resources: dict[str, float], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        JobRequest.model_validate({"resources": resources})


@pytest.mark.parametrize("address", ["", "local", "ray://", "head", "http://head:6379", "a b:1"])
def test_an_address_that_can_be_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="ray_address"):
        Settings(ray_address=address)
