"""The worker: claims jobs and has an executor run them. `python -m trainer.workers.worker`."""

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

from shared.errors import ReadsmithError
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database, retried, unavailable
from trainer.schemas.job import Claim, JobError, LostClaimError
from trainer.schemas.progress import CancelledRunError
from trainer.settings import Settings, complaint, load_settings
from trainer.workers.child import RUN_JOB
from trainer.workers.executors import Attempt, Executor, LocalExecutor, OutOfReachError
from trainer.workers.job_process import explain_failure
from trainer.workers.scratch import clear_job_files, clear_scratch, jobs_with_files

IDLE_SECONDS = 1.0
"""Pause between two looks into an empty queue."""
CANCEL_GRACE_SECONDS = 3.0
"""Seconds that an attempt has to end by itself after its job was cancelled."""

log = logging.getLogger("trainer.workers.worker")


class Worker:
    """Keeps as many jobs under way as its executor takes, until it is stopped."""

    def __init__(self, settings: Settings, database: Database, executor: Executor) -> None:
        self._settings = settings
        self._executor = executor
        self._queue = JobQueue(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts
        )
        self._kept = settings.open_shared_files() if settings.shared_files else None
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = False
        self._next_heartbeat = 0.0

    def stop(self) -> None:
        """Have `run` end soon: the jobs under way go back to the queue. Safe in a handler."""
        self._stopping = True

    def run(self) -> None:
        """Work until stopped; an unreachable database is waited for."""
        log.info("Worker %s is ready.", self._name)
        if self._kept is not None:
            with _complaints():
                clear_job_files(self._kept, self._queue, jobs_with_files(self._kept))
        with ThreadPoolExecutor(self._executor.at_once) as threads:
            running: set[Future[None]] = set()
            try:
                while not self._stopping:
                    claim = self._look_for_work(room=len(running) < self._executor.at_once)
                    if claim is None:
                        running = _still_running(running)
                    elif (attempt := self._start(claim)) is not None:
                        running.add(threads.submit(self._see_through, claim, attempt))
            finally:
                self._stopping = True
        self._executor.close()
        with contextlib.suppress(DBAPIError):
            self._queue.gone(self._name)
        log.info("Worker %s has ended.", self._name)

    def _look_for_work(self, room: bool) -> Claim | None:
        with _complaints():
            clear_scratch(self._settings.scratch, self._queue)
            self._send_heartbeat()
            if room and self._executor.ready():
                return self._queue.claim()
        return None

    def _start(self, claim: Claim) -> Attempt | None:
        """Start the attempt; what cannot be started fails the job."""
        log.info("%s: attempt %d begins.", *claim)
        with self._answering_for(claim):
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

    def _see_through(self, claim: Claim, attempt: Attempt) -> None:
        """Stay with the attempt until its end, and see that its job has an end, too."""
        with self._answering_for(claim):
            try:
                self._poll(claim, attempt)
            finally:
                attempt.stop()
        if self._kept is not None:
            with _complaints():
                clear_job_files(self._kept, self._queue, [claim.job_id])
        log.info("%s: attempt %d has ended.", *claim)

    @contextlib.contextmanager
    def _answering_for(self, claim: Claim) -> Iterator[None]:
        """A job whose attempt is out of reach goes back to the queue."""
        with _complaints(), contextlib.suppress(LostClaimError):
            try:
                yield
            except OutOfReachError as error:
                self._queue.hand_back(claim, f"{error} Queued again.")

    def _poll(self, claim: Claim, attempt: Attempt) -> None:
        """Hold the claim until the attempt's end."""
        lease = self._settings.lease_seconds
        renewed = time.monotonic()
        while not self._stopping:
            try:
                end = attempt.end()
                if end is not None:
                    self._queue.lose(claim, end)
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
                if time.monotonic() > renewed + lease:
                    raise
            time.sleep(self._executor.polling_interval)
        attempt.stop()
        self._queue.hand_back(claim, "The worker was stopped; queued again.")

    def _cancel(self, claim: Claim, attempt: Attempt) -> None:
        patience = time.monotonic() + CANCEL_GRACE_SECONDS
        while attempt.end() is None and time.monotonic() < patience:
            time.sleep(self._executor.polling_interval)
        attempt.stop()
        self._queue.cancelled(claim)

    def _send_heartbeat(self) -> None:
        """Three times per lease, say that this worker lives and see who is lost."""
        if time.monotonic() >= self._next_heartbeat:
            self._queue.seen(self._name, self._executor.problem)
            self._queue.requeue_stalled()
            self._next_heartbeat = time.monotonic() + self._settings.lease_seconds / 3


def _still_running(jobs: set[Future[None]]) -> set[Future[None]]:
    """Wait for a job's end, but not for long; return those that have none yet."""
    if not jobs:
        time.sleep(IDLE_SECONDS)
        return jobs
    over, running = wait(jobs, IDLE_SECONDS, FIRST_COMPLETED)
    for job in over:
        job.result()  # raises what nobody foresaw
    return running


@contextlib.contextmanager
def _complaints() -> Iterator[None]:
    """Log what keeps the worker from its work for now."""
    try:
        yield
    except DBAPIError as error:
        log.warning("%s", unavailable(error).message)
    except (OSError, ReadsmithError) as error:
        log.warning("The worker cannot do its work now: %s", error)


def make_executor(settings: Settings, child: Sequence[str] = RUN_JOB) -> Executor:
    """Return the executor that the settings name; `child`: arguments of Python for each attempt.

    Raises ReadsmithError package_missing.
    """
    if settings.executor == "local":
        return LocalExecutor(settings, child)
    from trainer.workers.ray.executor import (  # noqa: PLC0415 - only where it is asked for
        RayExecutor,
    )

    return RayExecutor(settings, child)


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        settings = load_settings()
        worker = Worker(settings, Database(settings.jobs_database), make_executor(settings))
    except (ReadsmithError, OSError) as error:
        sys.exit(complaint(error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
