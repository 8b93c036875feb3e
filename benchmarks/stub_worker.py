"""The job database's load from a worker and its run, without the training."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from shared.api.jobs import JobError, JobProgress, Stage
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database, retried
from trainer.schemas.job import Claim

EPOCHS = 10
WATCH_SECONDS = 0.25
"""The interval at which trainer.workers.worker checks for cancellation."""
LEASE_SECONDS = 600

PROGRESS = JobProgress(
    epoch=1,
    epochs=EPOCHS,
    loss=0.1,
    validation_loss=0.1,
    exact_match=0.9,
    images_per_second=1000.0,
    seconds=1.0,
    seconds_left=1.0,
    estimated_finish_at=datetime(2030, 1, 1, tzinfo=UTC),
)
END = JobError(code="stub", message="This was no training.")
"""Ending as failed is one write, as success is, and needs no version."""


def queue_of(database: Database) -> JobQueue:
    """Return the workers' side of a database."""
    return JobQueue(database, lease_seconds=LEASE_SECONDS, max_attempts=3)


def wait(seconds: float) -> None:
    """Sleep, in a process that has then imported all that it needs."""
    time.sleep(seconds)


def run_together(threads: int, *work: Any) -> int:
    """Call run_jobs in several threads; returns how many jobs ended."""
    with ThreadPoolExecutor(threads) as pool:
        return sum(each.result() for each in [pool.submit(run_jobs, *work) for _ in range(threads)])


def run_jobs(url: str, begin: float, seconds: float, training: float) -> int:
    """Run jobs from `begin` (time.time) for `seconds`; returns how many ended in that time.

    training: seconds of each. Waits for a locked database, as runs do.
    """
    database = Database(url)
    queue, ended = queue_of(database), 0
    time.sleep(max(0.0, begin - time.time()))
    while time.time() < begin + seconds:
        run_one(queue, next_of(queue), training)
        ended += time.time() < begin + seconds
    database.close()
    return ended


def next_of(queue: JobQueue) -> Claim:
    """Claim the next job; there must be one."""
    claim = retried(queue.claim)
    assert claim is not None
    return claim


def run_one(queue: JobQueue, claim: Claim, training: float) -> None:
    """Write all that a run writes, and check for cancellation as a worker does."""
    retried(lambda: queue.request(claim))
    for stage in Stage:
        retried(partial(queue.stage, claim, stage))
        if stage is Stage.TRAIN:
            retried(lambda: queue.summary(claim, {"usable": 1000}))
            _train(queue, claim, training)
    retried(lambda: queue.begin_publishing(claim))
    retried(lambda: queue.fail(claim, END))


def _train(queue: JobQueue, claim: Claim, seconds: float) -> None:
    begin = checked = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        while (now := time.monotonic()) < begin + seconds * epoch / EPOCHS:
            if now - checked >= WATCH_SECONDS:
                retried(lambda: queue.check(claim))
                checked = now
            time.sleep(0.01)
        retried(lambda: queue.progress(claim, PROGRESS, f"One of {EPOCHS} epochs."))
