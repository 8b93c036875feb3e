"""The worker claims jobs and has an executor run them: `python -m trainer.workers.worker`."""

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from shared.api.jobs import JobError, JobKind
from shared.errors import ReadsmithError
from shared.logs import RepeatLimit
from shared.texts import log_as_text
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database, retried, unavailable
from trainer.schemas.job import Claim, LostClaimError
from trainer.schemas.progress import CancelledRunError
from trainer.settings import Settings, load_settings, startup_error
from trainer.subprocesses import ignore_signals
from trainer.workers.child import RUN_JOB
from trainer.workers.executors import (
    Attempt,
    Executor,
    ExecutorUnavailableError,
    LocalExecutor,
    require_ray,
)
from trainer.workers.job_process import explain_failure
from trainer.workers.old_jobs import OldJobs
from trainer.workers.scratch import clear_job_files, clear_scratch, jobs_with_files

IDLE_SECONDS = 1.0
"""Seconds between two polls of an empty queue."""
CANCEL_GRACE_SECONDS = 3.0
"""Grace period in which an attempt may end by itself after its job was cancelled."""
CANCEL_LEASE_SECONDS = 30.0
"""Within these its processes are gone, also on a busy machine."""

log = logging.getLogger("trainer.workers.worker")


class Worker:
    """Runs as many jobs as its executor has capacity for, until it is stopped."""

    def __init__(self, settings: Settings, database: Database, executor: Executor) -> None:
        self._settings = settings
        self._executor = executor
        self._queue = JobQueue(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts
        )
        self._old_jobs = OldJobs(database, settings.model_store(), settings.retained_job_days)
        self._shared_files = settings.open_shared_files() if settings.shared_files else None
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = False
        self._next_heartbeat = 0.0

    def stop(self) -> None:
        """Make `run` end soon; running jobs are queued again. Safe in a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Claim and run jobs until stopped; waits for an unreachable database."""
        log.info("Worker %s is ready.", self._name)
        if self._shared_files is not None:
            # A worker that was killed after its job's end has not deleted that job's files.
            with _logged_failures():
                job_ids = jobs_with_files(self._shared_files)
                clear_job_files(self._shared_files, self._queue, job_ids)
        with ThreadPoolExecutor(self._executor.capacity) as threads:
            running: set[Future[None]] = set()
            try:
                while not self._stopping:
                    claim = self._claim_next(has_room=len(running) < self._executor.capacity)
                    if claim is None:
                        running = _still_running(running)
                    # Started here, not in the thread: only then ready() knows of this attempt
                    # when the next job is claimed.
                    elif (attempt := self._start(claim)) is not None:
                        running.add(threads.submit(self._supervise, claim, attempt))
            finally:
                self._stopping = True
        self._executor.close()
        with contextlib.suppress(DBAPIError):
            self._queue.remove_worker(self._name)
        log.info("Worker %s has ended.", self._name)

    def _claim_next(self, has_room: bool) -> Claim | None:
        with _logged_failures():
            clear_scratch(self._settings.scratch, self._queue)
            self._send_heartbeat()
            with _logged_failures():  # a store that is away keeps no job from being claimed
                self._old_jobs.delete_some()
            if has_room and self._executor.ready():
                return self._queue.claim(tuple(JobKind))
        return None

    def _start(self, claim: Claim) -> Attempt | None:
        """Start the attempt; the job fails if it cannot be started."""
        log.info("%s: attempt %d begins.", *claim)
        with self._requeued_if_unavailable(claim):
            try:
                request = retried(lambda: self._queue.request(claim))
                return self._executor.start(
                    claim,
                    request,
                    lambda kind, message: self._queue.event(claim, kind, message, {}),
                )
            except (OSError, ValidationError) as error:
                self._queue.fail(claim, JobError.of(explain_failure(error)))
        return None

    def _supervise(self, claim: Claim, attempt: Attempt) -> None:
        """Poll the attempt until its end, then stop what is left of it and delete its files."""
        with self._requeued_if_unavailable(claim):
            try:
                self._poll(claim, attempt)
            finally:
                attempt.stop()
        if self._shared_files is not None:
            with _logged_failures():
                clear_job_files(self._shared_files, self._queue, [claim.job_id])
        log.info("%s: attempt %d has ended.", *claim)

    @contextlib.contextmanager
    def _requeued_if_unavailable(self, claim: Claim) -> Iterator[None]:
        """Queue the job again if the executor becomes unavailable."""
        with _logged_failures(), contextlib.suppress(LostClaimError):
            try:
                yield
            except ExecutorUnavailableError as error:
                self._queue.requeue(claim, f"{error} Queued again.")

    def _poll(self, claim: Claim, attempt: Attempt) -> None:
        """Renew the lease until the attempt's end."""
        lease = self._settings.lease_seconds
        renewed = time.monotonic()
        while not self._stopping:
            try:
                end = attempt.end()
                if end is not None:
                    self._queue.record_loss(claim, end)
                    return
                if time.monotonic() > renewed + lease / 3:
                    self._queue.renew(claim)
                    renewed = time.monotonic()
                self._queue.check(claim)
            except CancelledRunError:
                self._cancel(claim, attempt)
                return
            except DBAPIError as error:
                log.warning("%s", unavailable(error).message)
                # Up to a whole lease: a database that restarts must not cost an attempt. After
                # it another worker may hold the job.
                if time.monotonic() > renewed + lease:
                    raise
            time.sleep(self._executor.polling_interval)
        # First the end of its processes, then the queue: another worker may start the next
        # attempt at once.
        attempt.stop()
        self._queue.requeue(claim, "The worker was stopped; queued again.")

    def _cancel(self, claim: Claim, attempt: Attempt) -> None:
        deadline = time.monotonic() + CANCEL_GRACE_SECONDS
        with contextlib.suppress(LostClaimError):  # the child has recorded the end
            # A shorter lease would end the job as stalled while its processes still run.
            self._queue.renew(claim, at_least=CANCEL_LEASE_SECONDS)
        while attempt.end() is None and time.monotonic() < deadline:
            time.sleep(self._executor.polling_interval)
        attempt.stop()
        self._queue.cancelled(claim)

    def _send_heartbeat(self) -> None:
        """Three times per lease, send a heartbeat and requeue the jobs of stalled workers."""
        # From the main loop also while this worker has no room: when every worker was busy,
        # nobody noticed that one had stalled.
        if time.monotonic() >= self._next_heartbeat:
            self._queue.heartbeat(self._name, self._executor.problem)
            self._queue.requeue_stalled()
            self._next_heartbeat = time.monotonic() + self._settings.lease_seconds / 3


def _still_running(jobs: set[Future[None]]) -> set[Future[None]]:
    """Wait up to IDLE_SECONDS for the end of a job; return those that still run."""
    if not jobs:
        time.sleep(IDLE_SECONDS)
        return jobs
    over, running = wait(jobs, IDLE_SECONDS, FIRST_COMPLETED)
    for job in over:
        job.result()  # raises an unexpected error; a thread would swallow it
    return running


@contextlib.contextmanager
def _logged_failures() -> Iterator[None]:
    """Log failures of the database and the storage, which may pass; the worker goes on."""
    try:
        yield
    except DBAPIError as error:
        log.warning("%s", unavailable(error).message)
    except (OSError, ReadsmithError) as error:
        log.warning("The worker cannot continue for now: %s", error)


def make_executor(settings: Settings, child: Sequence[str] = RUN_JOB) -> Executor:
    """Return the executor that the settings name.

    child: Python's arguments for each attempt. Raises ReadsmithError package_missing.
    """
    if settings.executor == "local":
        return LocalExecutor(settings, child)
    require_ray()
    from trainer.workers.ray.executor import RayExecutor  # noqa: PLC0415 - imports Ray

    return RayExecutor(settings, child)


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    log_as_text()
    try:
        settings = load_settings()
        worker = Worker(settings, Database(settings.jobs_database), make_executor(settings))
    except (ReadsmithError, OSError) as error:
        sys.exit(startup_error(error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    ignore_signals()
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatLimit())
    worker.run()


if __name__ == "__main__":
    main()
