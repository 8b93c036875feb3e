"""What later attempts need is where they can find it, on whatever machine they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.files.job_files import JobFiles
from trainer.pipeline.training import checkpoint
from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings
from trainer.workers.scratch import clear_job_files, clear_scratch, jobs_with_files

JOB = "job-0123456789abcdef0123456789abcdef"


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], JobFiles]:
    """Return a job's kept files as a machine of this name has them."""

    def of(name: str) -> JobFiles:
        settings = Settings(state=tmp_path / name, shared_files=str(tmp_path / "shared"))
        kept = settings.job_files(JOB)
        assert kept is not None
        return kept

    return of


def state(seconds: float) -> checkpoint.State:
    return checkpoint.State([np.zeros(3)], [np.ones(3)], seconds=seconds)


def seconds_of(kept: JobFiles, folder: str = "") -> float | None:
    found = checkpoint.load(kept.work / folder, "run", kept)
    return found.seconds if found else None


def test_another_machine_goes_on_where_the_last_one_was(
    machine: Callable[[str], JobFiles],
) -> None:
    one, two = machine("one"), machine("two")
    for folder in ("", "trial-3"):
        assert seconds_of(one, folder) is None
        checkpoint.save(one.work / folder, state(1), "run", one)
        assert seconds_of(two, folder) == 1
        checkpoint.save(two.work / folder, state(2), "run", two)
        assert seconds_of(one, folder) == 2, "its own is older"
    one.remove(one.work / "trial-3")
    assert seconds_of(machine("three"), "trial-3") is None
    assert seconds_of(machine("three")) == 2


def test_a_checkpoint_that_cannot_be_shared_still_counts_where_it_is(
    machine: Callable[[str], JobFiles], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = machine("one")
    one.work.mkdir(parents=True)
    (tmp_path / "shared").write_text("no folder")
    checkpoint.save(one.work, state(1), "run", one)
    assert "checkpoint.npz is on this machine only" in caplog.text
    assert checkpoint.load(one.work, "run") is not None


def test_one_machine_keeps_nothing_twice(tmp_path: Path) -> None:
    assert Settings(state=tmp_path).job_files(JOB) is None


def test_what_jobs_leave_behind_goes_when_they_are_over(
    store: JobStore, queue: JobQueue, settings: Settings
) -> None:
    files = settings.open_shared_files()
    claims = []
    for _ in range(2):
        store.create(JobRequest())
        claims.append(queue.claim())
    for claim in claims:
        assert claim is not None
        (settings.scratch / claim.job_id).mkdir(parents=True)
        files.write(b"weights", f"jobs/{claim.job_id}/trial-1/checkpoint.npz")
    over, running = claims
    assert isinstance(over, Claim) and isinstance(running, Claim)
    store.cancel(over.job_id)
    queue.cancelled(over)

    assert jobs_with_files(files) == {over.job_id, running.job_id}
    clear_job_files(files, queue, jobs_with_files(files))
    assert jobs_with_files(files) == {running.job_id}
    (settings.scratch / over.job_id).mkdir(exist_ok=True)
    clear_scratch(settings.scratch, queue)
    assert [path.name for path in settings.scratch.iterdir()] == [running.job_id]
