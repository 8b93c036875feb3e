"""Whatever users and workers do, in whatever order, each job goes the way that the rules say."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as States
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from shared.api.jobs import JobError, Stage, Status
from shared.errors import ReadsmithError
from tests.support.jobs.fixtures import run_result
from tests.support.services.postgresql import Server, needs_postgresql
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job import Claim, LostClaimError
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError

MAX_ATTEMPTS = 2
MAX_QUEUED = 4
LEASE = 600
STEPS = (250, 700)
"""Seconds by which the clock moves; no sum of them comes near a lease's end."""

DIED = JobError(code="child_died", message="It died.")


@dataclass
class Expected:
    """What a job must be by the rules."""

    status: Status = Status.QUEUED
    attempt: int = 0
    losses: int = 0
    lease_until: float = 0
    cancel_requested: bool = False
    publishing: bool = False
    trains: bool = False
    finish_requested: bool = False
    events: int = 1

    def move(self, to: Status) -> None:
        self.status = to
        self.trains = False
        self.events += 1

    def put_back(self, losses: int) -> None:
        self.losses += losses
        if self.cancel_requested:
            self.move(Status.CANCELLED)
        else:
            given_up = losses and self.losses == MAX_ATTEMPTS
            self.move(Status.FAILED if given_up else Status.QUEUED)


class Jobs(RuleBasedStateMachine):
    """Compares the job database, SQLite unless `url` names another, with what is expected."""

    jobs: States[str] = States("jobs")
    claims: States[Claim] = States("claims")
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(self.url or f"sqlite:///{self.folder.name}/jobs.sqlite")
        with self.database.writing.begin() as connection:
            for table in ("events", "jobs"):
                connection.execute(text(f"DELETE FROM {table}"))
        self.store = JobStore(self.database, max_queued_jobs=MAX_QUEUED)
        self.queue = JobQueue(self.database, lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS)
        self.clock = 0.0
        self.expected: dict[str, Expected] = {}
        self.keys: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        for job_id, job in self.expected.items():
            told = self.store.events(job_id, 1000).data
            assert len(told) == job.events
            statuses = [event.data["status"] for event in told if event.type == "status"]
            assert Counter(statuses)["running"] == job.attempt
            assert statuses[-1] == job.status
        self.database.close()
        self.folder.cleanup()

    @rule(target=jobs, key=st.sampled_from([None, "a", "b"]), seed=st.integers(1, 2))
    def post(self, key: str | None, seed: int) -> Any:
        earlier = self.keys.get(key) if key else None
        waiting = [job for job in self.expected.values() if job.status is Status.QUEUED]
        try:
            job = self.store.create(JobRequest(seed=seed), key)
        except ReadsmithError as error:
            if earlier:
                assert error.code == "idempotency_key_reused" and earlier[1] != seed
            else:
                assert error.code == "queue_full" and len(waiting) >= MAX_QUEUED
            return multiple()
        if earlier:
            assert earlier == (job.id, seed)
            return multiple()
        assert len(waiting) < MAX_QUEUED
        self.expected[job.id] = Expected()
        if key:
            self.keys[key] = job.id, seed
        return job.id

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        job = self.expected[job_id]
        try:
            self.store.cancel(job_id)
        except ReadsmithError as error:
            assert error.code == ("job_final" if job.status.is_final else "job_publishing")
            assert job.status.is_final or job.publishing
            return
        assert not job.status.is_final and not job.publishing
        if job.status is Status.QUEUED:
            job.move(Status.CANCELLED)
        elif not job.cancel_requested:
            job.cancel_requested = True
            job.events += 1

    @rule(job_id=jobs)
    def finish(self, job_id: str) -> None:
        job = self.expected[job_id]
        may = job.finish_requested or (job.trains and not job.cancel_requested)
        try:
            self.store.finish(job_id)
        except ReadsmithError as error:
            assert error.code == ("job_final" if job.status.is_final else "job_not_training")
            assert job.status.is_final or not may
            return
        assert not job.status.is_final and may
        job.events += not job.finish_requested
        job.finish_requested = True

    @rule(target=claims)
    def claim(self) -> Any:
        claim = self.queue.claim()
        self.lose_silent_workers()
        waiting = [job_id for job_id, job in self.expected.items() if job.status is Status.QUEUED]
        if not waiting:
            assert claim is None
            return multiple()
        job = self.expected[waiting[0]]
        job.attempt += 1
        job.move(Status.RUNNING)
        job.lease_until, job.publishing = self.clock + LEASE, False
        assert claim == Claim(waiting[0], job.attempt)
        return claim

    @rule()
    def look_for_lost_workers(self) -> None:
        self.queue.requeue_stalled()
        self.lose_silent_workers()

    def lose_silent_workers(self) -> None:
        for job in self.expected.values():
            if job.status is Status.RUNNING and job.lease_until < self.clock:
                job.put_back(losses=1)

    @rule(seconds=st.sampled_from(STEPS))
    def let_time_pass(self, seconds: float) -> None:
        self.clock += seconds
        earlier = text("UPDATE jobs SET lease_until = lease_until - :seconds")
        with self.database.writing.begin() as connection:
            connection.execute(earlier, {"seconds": seconds})

    @contextmanager
    def write(self, claim: Claim) -> Iterator[Expected]:
        """Do what only the holder of a job may do, and only while nobody asked it to stop."""
        job = self.expected[claim.job_id]
        held = job.status is Status.RUNNING and job.attempt == claim.attempt
        after = Expected(**vars(job))
        try:
            yield after
        except LostClaimError:
            assert not held
        except CancelledRunError:
            assert held and job.cancel_requested
        else:
            assert held
            self.expected[claim.job_id] = after

    @rule(claim=claims)
    def renew(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.lease_until = self.clock + LEASE
            self.queue.renew(claim)

    @rule(claim=claims)
    def tell(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.events += 1
            job.trains = True
            self.queue.stage(claim, Stage.TRAIN)

    @rule(claim=claims)
    def look_whether_to_stop(self, claim: Claim) -> None:
        with self.write(claim) as job:
            assert self.queue.check(claim) == job.finish_requested
            assert not job.cancel_requested

    @rule(claim=claims)
    def publish(self, claim: Claim) -> None:
        with self.write(claim) as job:
            self.queue.begin_publishing(claim)
            assert not job.cancel_requested
            job.publishing = True

    @rule(claim=claims)
    def succeed(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.move(Status.SUCCEEDED)
            self.queue.succeed(claim, run_result())

    @rule(claim=claims)
    def fail(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.move(Status.FAILED)
            self.queue.fail(claim, DIED)

    @rule(claim=claims)
    def stop_as_asked(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.move(Status.CANCELLED)
            self.queue.cancelled(claim)

    @rule(claim=claims)
    def lose_the_child(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.put_back(losses=1)
            self.queue.record_loss(claim, DIED)

    @rule(claim=claims)
    def hand_back(self, claim: Claim) -> None:
        with self.write(claim) as job:
            job.put_back(losses=0)
            self.queue.requeue(claim, "Stopped.")

    @invariant()
    def every_job_is_what_it_must_be(self) -> None:
        seen = {job.id: job for job in self.store.page(100).data}
        assert list(seen) == list(reversed(self.expected))
        for job_id, expected in self.expected.items():
            job = seen[job_id]
            assert (job.status, job.attempt) == (expected.status, expected.attempt)
            assert (job.finished_at is not None) == job.status.is_final
            assert (job.error is not None) == (job.status is Status.FAILED)
            assert (job.version is not None) == (job.status is Status.SUCCEEDED)
            assert job.finish_requested == expected.finish_requested
            assert job.stage is None or job.status is Status.RUNNING


def stories(examples: int) -> settings:
    """Return Hypothesis settings for so many random stories."""
    return settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_jobs_keep_the_rules() -> None:
    run_state_machine_as_test(Jobs, settings=stories(15))


@needs_postgresql
def test_jobs_keep_the_rules_in_postgresql(postgresql: Server) -> None:
    in_postgresql = type("JobsInPostgreSQL", (Jobs,), {"url": postgresql.url})
    run_state_machine_as_test(in_postgresql, settings=stories(15))
