"""Whatever users and workers do, in whatever order, the jobs keep their rules."""

import contextlib
import itertools
import tempfile
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as States
from hypothesis.stateful import RuleBasedStateMachine, consumes, invariant, multiple, rule
from sqlalchemy import text

from shared.errors import ReadsmithError
from trainer.database import Database
from trainer.job_queue import JobQueue
from trainer.job_store import JobStore
from trainer.jobs import Claim, JobError, LostClaimError, Status
from trainer.progress import CancelledRunError
from trainer.requests import JobRequest

MAX_ATTEMPTS = 2


class Jobs(RuleBasedStateMachine):
    jobs: States[str] = States("jobs")
    claims: States[Claim] = States("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(f"sqlite:///{self.folder.name}/jobs.sqlite")
        self.store = JobStore(self.database, max_queued_jobs=100)
        self.queue = JobQueue(self.database, lease_seconds=600, max_attempts=MAX_ATTEMPTS)
        self.holder: dict[str, Claim] = {}
        """The attempt that may write, for each job that runs."""
        self.attempts: dict[str, int] = {}
        """How often each job was claimed."""
        self.final: dict[str, Status] = {}

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(target=jobs)
    def post(self) -> str:
        job = self.store.create(JobRequest())
        self.attempts[job.id] = 0
        return job.id

    @rule(target=claims)
    def claim(self) -> Any:
        waiting = [job.id for job in self.store.page(100).data if job.status is Status.QUEUED]
        claim = self.queue.claim()
        if claim is None:
            assert not waiting
            return multiple()
        assert claim.attempt == self.attempts[claim.job_id] + 1
        self.attempts[claim.job_id] = claim.attempt
        self.holder[claim.job_id] = claim
        return claim

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        with contextlib.suppress(ReadsmithError):
            self.store.cancel(job_id)

    @rule()
    def let_leases_run_out(self) -> None:
        with self.database.writing.begin() as connection:
            connection.execute(text("UPDATE jobs SET lease_until = 0 WHERE status = 'running'"))

    @rule(claim=claims)
    def publish(self, claim: Claim) -> None:
        try:
            self.queue.begin_publishing(claim)
        except (LostClaimError, CancelledRunError):
            return
        assert self.holder[claim.job_id] == claim

    @rule(claim=consumes(claims), how=st.sampled_from(["fail", "lose", "hand back", "cancelled"]))
    def end(self, claim: Claim, how: str) -> None:
        error = JobError(code="x", message="It died.")
        try:
            if how == "fail":
                self.queue.fail(claim, error)
            elif how == "lose":
                self.queue.lose(claim, error)
            elif how == "hand back":
                self.queue.hand_back(claim, "Stopped.")
            else:
                self.queue.cancelled(claim)
        except LostClaimError:
            return
        assert self.holder[claim.job_id] == claim

    @invariant()
    def what_is_final_stays(self) -> None:
        for job in self.store.page(100).data:
            assert job.attempt == self.attempts[job.id]
            assert self.final.get(job.id, job.status) is job.status
            assert (job.finished_at is not None) == job.status.is_final
            if job.status.is_final:
                self.final[job.id] = job.status

    @invariant()
    def events_tell_the_same_story(self) -> None:
        for job in self.store.page(100).data:
            told = [
                e.data["status"] for e in self.store.events(job.id, 1000).data if "status" in e.data
            ]
            assert told[-1] == job.status
            assert all(Status(a).may_become(Status(b)) for a, b in itertools.pairwise(told))


TestJobs = Jobs.TestCase
TestJobs.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
