"""The worker: claims jobs and runs each in a child process. `python -m trainer.worker`."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from shared.errors import ReadsmithError
from trainer.database import Database, unavailable
from trainer.job_queue import JobQueue
from trainer.jobs import Claim, JobError, LostClaimError
from trainer.processes import explain_exit, stop_group
from trainer.progress import CancelledRunError
from trainer.run_job import Order, explain_failure
from trainer.settings import Settings, complaint, load_settings

IDLE_SECONDS = 1.0
"""Pause between two looks into an empty queue."""
WATCH_SECONDS = 0.25
CANCEL_PATIENCE = 3.0
"""Seconds that a child has to end by itself after its job was cancelled."""
TERM_PATIENCE = 3.0
"""Seconds between SIGTERM and SIGKILL."""

CHILD = (sys.executable, "-m", "trainer.run_job")

log = logging.getLogger("trainer.worker")


class Worker:
    """Runs jobs one after the other until it is stopped; `child` is the command of each run."""

    def __init__(
        self, settings: Settings, database: Database, child: Sequence[str] = CHILD
    ) -> None:
        self._settings = settings
        self._child = child
        self._queue = JobQueue(
            database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts
        )
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = False
        self._next_sign_of_life = 0.0

    def stop(self) -> None:
        """Have `run` end soon: the job under way goes back to the queue. Safe in a handler."""
        self._stopping = True

    def run(self) -> None:
        """Work until stopped; an unreachable database is waited for."""
        log.info("Worker %s is ready.", self._name)
        while not self._stopping:
            try:
                self._clear_scratch()
                self._give_sign_of_life()
                claim = self._queue.claim()
                if claim is not None:
                    self._run_job(claim)
                    continue
            except DBAPIError as error:
                log.warning("%s", unavailable(error).message)
            except OSError as error:
                log.warning("The worker cannot do its work now: %s.", error)
            time.sleep(IDLE_SECONDS)
        with contextlib.suppress(DBAPIError):
            self._queue.gone(self._name)
        log.info("Worker %s has ended.", self._name)

    def _run_job(self, claim: Claim) -> None:
        log.info("%s: attempt %d begins.", *claim)
        with contextlib.suppress(LostClaimError):
            try:
                child = self._spawn(claim)
            except OSError as error:
                self._queue.fail(claim, explain_failure(error))
                return
            try:
                self._watch(claim, child)
            finally:
                stop_group(child, TERM_PATIENCE)
        log.info("%s: attempt %d has ended.", *claim)

    def _spawn(self, claim: Claim) -> "subprocess.Popen[bytes]":
        """Start the child; its temporary files lie in its scratch folder, and go with it."""
        work = self._settings.scratch.absolute() / claim.job_id
        work.mkdir(parents=True, exist_ok=True)
        order = Order(
            claim=claim,
            worker_pid=os.getpid(),
            settings=self._settings.model_dump(mode="json"),
        )
        with tempfile.TemporaryFile() as file:
            file.write(order.model_dump_json().encode())
            file.seek(0)
            return subprocess.Popen(  # noqa: S603 - our own command
                self._child,
                stdin=file,
                start_new_session=True,
                env=os.environ | {"TMPDIR": str(work)},
            )

    def _watch(self, claim: Claim, child: "subprocess.Popen[bytes]") -> None:
        """Wait for the child's end and see that the job has an end, too."""
        held_until = time.monotonic() + self._settings.lease_seconds
        while not self._stopping and child.poll() is None:
            try:
                if self._give_sign_of_life(claim):
                    held_until = time.monotonic() + self._settings.lease_seconds
                self._queue.check(claim)
            except CancelledRunError:
                self._cancel(claim, child)
                return
            except DBAPIError as error:
                log.warning("%s", unavailable(error).message)
                if time.monotonic() > held_until:
                    raise
            time.sleep(WATCH_SECONDS)
        if self._stopping:
            stop_group(child, TERM_PATIENCE)
            self._queue.hand_back(claim, "The worker was stopped; queued again.")
        else:
            self._queue.lose(claim, _died(child.returncode))

    def _cancel(self, claim: Claim, child: "subprocess.Popen[bytes]") -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(CANCEL_PATIENCE)
        stop_group(child, TERM_PATIENCE)
        self._queue.cancelled(claim)

    def _give_sign_of_life(self, claim: Claim | None = None) -> bool:
        """Three times per lease, renew the claim, say that this worker lives, see who is lost."""
        if time.monotonic() < self._next_sign_of_life:
            return False
        if claim is not None:
            self._queue.renew(claim)
        self._queue.seen(self._name)
        self._queue.give_up_on_lost()
        self._next_sign_of_life = time.monotonic() + self._settings.lease_seconds / 3
        return True

    def _clear_scratch(self) -> None:
        """Delete the scratch folders of jobs that are over, whoever ended them."""
        if self._settings.scratch.is_dir():
            for folder in self._settings.scratch.iterdir():
                if self._queue.is_over(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)


def _died(code: int) -> JobError:
    return JobError(
        code="child_died",
        message=f"The training process {explain_exit(code)}.",
        hint="Lower batch_size or the image size, or give the trainer more memory; "
        "the trainer's log may tell more.",
    )


def main() -> None:
    """Run a worker until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        settings = load_settings()
        worker = Worker(settings, Database(settings.jobs_database))
    except (ReadsmithError, OSError) as error:
        sys.exit(complaint(error))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
