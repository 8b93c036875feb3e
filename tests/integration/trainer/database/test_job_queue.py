import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from shared.api.jobs import Job, JobError, JobProgress, Stage, Status
from shared.errors import ReadsmithError
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.pipeline.evaluation.predictions import LabelledPrediction
from trainer.pipeline.evaluation.promotion import compared
from trainer.schemas.job import Claim, LostClaimError
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError, RunResult
from trainer.schemas.trial import TrialRecord

COMPARISON = compared(
    1,
    [LabelledPrediction("a.png", "a", "b", 0.9), LabelledPrediction("b.png", "b", "b", 0.9)],
    {"a.png": "a"},
)
PROGRESS = JobProgress(
    epoch=1,
    epochs=2,
    loss=1.0,
    validation_loss=1.0,
    exact_match=0.5,
    images_per_second=9.0,
    seconds=1.0,
    seconds_left=1.0,
    estimated_finish_at=datetime(2030, 1, 1, tzinfo=UTC),
)
DIED = JobError(code="child_died", message="The training process died.")


def claimed(store: JobStore, queue: JobQueue) -> tuple[Job, Claim]:
    job = store.create(JobRequest())
    claim = queue.claim()
    assert claim is not None and claim.job_id == job.id
    return job, claim


def test_the_oldest_job_is_claimed_first(store: JobStore, queue: JobQueue) -> None:
    ids = [store.create(JobRequest()).id for _ in range(3)]
    assert [queue.claim() for _ in range(4)] == [*(Claim(job_id, 1) for job_id in ids), None]


def test_no_two_workers_claim_the_same_job(store: JobStore, queue: JobQueue) -> None:
    ids = {store.create(JobRequest()).id for _ in range(12)}
    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda _: queue.claim(), range(20)))
    taken = [claim.job_id for claim in claims if claim]
    assert set(taken) == ids and len(taken) == 12


def test_trials_are_seen_by_everybody_and_by_later_attempts_and_written_by_the_holder_alone(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    values = {"parameters": {"epochs": {"low": 2, "high": 9}}}
    job = store.create(JobRequest.model_validate({"search": values}))
    claim = queue.claim()
    assert claim is not None
    second = TrialRecord(number=2, parameters={"epochs": 3}, starts=1)
    first = TrialRecord(number=1, parameters={"epochs": 7}, scores=[0.25], epochs=1)
    for record in (second, first, second.model_copy(update={"loss": math.nan})):
        queue.trial(claim, record)
    assert store.get(job.id).trials == [first.shown, second.shown]
    expire()
    later = queue.claim()
    assert later is not None
    assert queue.trials(later) == [first, second]
    with pytest.raises(LostClaimError):
        queue.trial(claim, first.model_copy(update={"epochs": 5}))
    assert queue.trials(later) == [first, second]


def test_a_run_is_visible_while_it_goes(
    store: JobStore, queue: JobQueue, result: RunResult
) -> None:
    job, claim = claimed(store, queue)
    queue.stage(claim, Stage.TRAIN)
    queue.summary(claim, {"usable": 10})
    queue.progress(claim, PROGRESS, "Epoch 1 of 2.")
    seen = store.get(job.id)
    assert (seen.status, seen.stage, seen.attempt) == (Status.RUNNING, Stage.TRAIN, 1)
    assert (seen.dataset, seen.progress) == ({"usable": 10}, PROGRESS)
    unserved = {"promoted": False, "comparison": COMPARISON}
    queue.succeed(claim, result.model_copy(update=unserved))
    over = store.get(job.id)
    assert (over.status, over.stage, over.version) == (Status.SUCCEEDED, None, 1)
    assert over.calibration == result.calibration
    assert (over.promoted, over.comparison) == (False, COMPARISON)
    assert (over.metrics, over.seconds_to) == (result.metrics, {"0.95": 1.0, "0.99": None})
    kinds = [event.type for event in store.events(job.id, 10).data]
    assert kinds == ["status", "status", "stage", "progress", "status"]


def test_a_failure_keeps_its_reason(store: JobStore, queue: JobQueue) -> None:
    job, claim = claimed(store, queue)
    error = JobError(code="too_few_images", message="3 images.", hint="Send more.")
    queue.fail(claim, error)
    assert (store.get(job.id).status, store.get(job.id).error) == (Status.FAILED, error)


def test_a_lease_that_ran_out_gives_the_job_to_the_next_attempt(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    job, _ = claimed(store, queue)
    assert queue.claim() is None
    expire()
    assert queue.claim() == Claim(job.id, 2)


def test_a_renewed_lease_keeps_the_job(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    _, claim = claimed(store, queue)
    expire()
    queue.renew(claim)
    assert queue.claim() is None


def test_a_lost_job_is_queued_again_while_every_worker_is_busy(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    job, _ = claimed(store, queue)
    queue.requeue_stalled()
    assert store.get(job.id).status is Status.RUNNING
    expire()
    queue.requeue_stalled()
    assert store.get(job.id).status is Status.QUEUED


@pytest.mark.parametrize(
    "write",
    [
        lambda queue, claim, result: queue.renew(claim),
        lambda queue, claim, result: queue.check(claim),
        lambda queue, claim, result: queue.request(claim),
        lambda queue, claim, result: queue.begin_publishing(claim),
        lambda queue, claim, result: queue.stage(claim, Stage.EXPORT),
        lambda queue, claim, result: queue.progress(claim, PROGRESS, ""),
        lambda queue, claim, result: queue.summary(claim, {"late": True}),
        lambda queue, claim, result: queue.event(claim, "warning", "late", {}),
        lambda queue, claim, result: queue.succeed(claim, result),
        lambda queue, claim, result: queue.fail(claim, DIED),
        lambda queue, claim, result: queue.cancelled(claim),
        lambda queue, claim, result: queue.record_loss(claim, DIED),
        lambda queue, claim, result: queue.requeue(claim, ""),
    ],
)
def test_nothing_that_a_lost_attempt_writes_is_kept(
    store: JobStore,
    queue: JobQueue,
    expire: Callable[[], None],
    result: RunResult,
    write: Callable[[JobQueue, Claim, RunResult], None],
) -> None:
    job, claim = claimed(store, queue)
    expire()
    queue.claim()
    before = store.get(job.id), store.events(job.id, 10)
    with pytest.raises(LostClaimError):
        write(queue, claim, result)
    assert (store.get(job.id), store.events(job.id, 10)) == before


def test_a_job_whose_workers_are_lost_again_and_again_fails(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    job = store.create(JobRequest())
    for attempt in (1, 2, 3):
        assert queue.claim() == Claim(job.id, attempt)
        expire()
    assert queue.claim() is None
    over = store.get(job.id)
    assert over.status is Status.FAILED
    assert over.error is not None and over.error.code == "worker_lost"
    assert "tried 3 times" in over.error.message


def test_a_job_whose_process_dies_is_tried_again_and_fails_with_the_last_reason(
    store: JobStore, queue: JobQueue
) -> None:
    job = store.create(JobRequest())
    for _ in range(3):
        claim = queue.claim()
        assert claim is not None
        queue.record_loss(claim, DIED)
    error = store.get(job.id).error
    assert error is not None and error.code == "child_died"


def test_a_job_that_was_handed_back_has_lost_no_try(store: JobStore, queue: JobQueue) -> None:
    job = store.create(JobRequest())
    for attempt in range(1, 6):
        assert queue.claim() == Claim(job.id, attempt)
        queue.requeue(Claim(job.id, attempt), "The worker was stopped.")
    assert store.get(job.id).status is Status.QUEUED


def test_a_run_learns_that_it_was_asked_to_stop(store: JobStore, queue: JobQueue) -> None:
    job, claim = claimed(store, queue)
    queue.check(claim)
    store.cancel(job.id)
    for ask in (queue.check, queue.begin_publishing):
        with pytest.raises(CancelledRunError):
            ask(claim)
    queue.cancelled(claim)
    assert store.get(job.id).status is Status.CANCELLED


def test_a_job_asked_to_stop_is_never_run_again(
    store: JobStore, queue: JobQueue, expire: Callable[[], None]
) -> None:
    job, _ = claimed(store, queue)
    store.cancel(job.id)
    expire()
    assert queue.claim() is None
    assert store.get(job.id).status is Status.CANCELLED


def test_a_job_that_publishes_can_no_longer_be_cancelled(
    store: JobStore, queue: JobQueue, result: RunResult
) -> None:
    job, claim = claimed(store, queue)
    queue.begin_publishing(claim)
    with pytest.raises(ReadsmithError) as caught:
        store.cancel(job.id)
    assert caught.value.code == "job_publishing"
    queue.succeed(claim, result)


def test_a_job_is_over_when_it_is_final_or_unknown(store: JobStore, queue: JobQueue) -> None:
    job = store.create(JobRequest())
    assert not queue.is_over(job.id)
    store.cancel(job.id)
    assert queue.is_over(job.id)
    assert queue.is_over("job-unknown")


def test_the_databases_clock_says_what_time_it_is(store: JobStore, database: Database) -> None:
    age = datetime.now(UTC) - store.create(JobRequest()).created_at
    assert abs(age.total_seconds()) < 60
