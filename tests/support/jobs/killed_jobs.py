"""Jobs that are struck while they run, and what must be true of them afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import Popen

from shared.api.jobs import Event, Job, Status
from shared.store.manifest import verify_files
from shared.store.store import ModelStore
from tests.support.jobs.kill_points import fallen
from tests.support.services.workers import start_worker, wait_until
from trainer.database.job_store import JobStore
from trainer.settings import Settings

Workers = list["Popen[bytes]"]


@contextmanager
def workers(settings: Settings, kind: str, count: int = 1) -> Iterator[Workers]:
    """Run workers whose children are struck; kind of run: small or real."""
    started = [start_worker(settings, child(kind)) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.wait()


def child(kind: str) -> list[str]:
    """Return the arguments of the child's Python."""
    return ["-m", "tests.support.jobs.kill_points", kind]


def until_over(
    store: JobStore, job_ids: Sequence[str], settings: Settings, kind: str, running: Workers
) -> None:
    """Return once the jobs are over; a worker that was killed is started anew, as systemd does."""

    def over() -> bool:
        for place, worker in enumerate(running):
            if worker.poll() is not None:
                running[place] = start_worker(settings, child(kind))
        return all(store.get(job_id).status.is_final for job_id in job_ids)

    wait_until(over, seconds=3000)


def require_right_end(store: JobStore, settings: Settings, job_id: str, strikes: str) -> None:
    """The job succeeded, published once, and no strike cost more than the epoch under way."""
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert [strike for strike, _ in fallen(settings, job_id)] == strikes.split(", ")
    require_one_version(settings, job)
    epochs = epochs_told(store, job_id)
    assert epochs == sorted(epochs) and set(epochs) == set(range(1, max(epochs) + 1)), epochs
    assert all(epochs.count(epoch) <= 1 + len(strikes) for epoch in epochs)


def require_one_version(settings: Settings, job: Job) -> None:
    """The job's version is the only one that it published, and its files are whole."""
    models = ModelStore(settings.store)
    manifests = [models.manifest(job.model, number) for number in models.versions(job.model)]
    (published,) = (one for one in manifests if one.job_id == job.id)
    assert published.version == job.version
    verify_files(models.folder(job.model, published.version), published.files)


def epochs_told(store: JobStore, job_id: str) -> list[int]:
    """Return the epochs of all attempts, in the order in which they were told."""
    return [event.data["epoch"] for event in events(store, job_id) if event.type == "progress"]


def events(store: JobStore, job_id: str) -> list[Event]:
    """Return all that was told of a job."""
    return store.events(job_id, 10_000).data
