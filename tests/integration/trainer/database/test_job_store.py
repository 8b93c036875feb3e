from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.api.jobs import Stage, Status
from shared.errors import ReadsmithError
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job_request import DatasetRequest, JobRequest


def test_a_new_job_waits_and_shows_its_request(store: JobStore) -> None:
    request = JobRequest(model="plates", metadata={"who": "me"})
    job = store.create(request)
    assert store.get(job.id) == job
    assert (job.status, job.attempt, job.request) == (
        Status.QUEUED,
        0,
        request.model_dump(mode="json"),
    )
    assert (job.model, job.metadata) == ("plates", {"who": "me"})


def test_a_job_that_is_not_there_is_named(store: JobStore) -> None:
    for look in (store.get, store.cancel, store.finish):
        with pytest.raises(ReadsmithError, match="no job job-1") as caught:
            look("job-1")
        assert caught.value.code == "job_not_found"


def test_a_page_shows_the_newest_jobs_and_says_whether_older_ones_follow(store: JobStore) -> None:
    ids = [store.create(JobRequest()).id for _ in range(5)]
    first = store.page(limit=2)
    assert [job.id for job in first.data] == ids[:2:-1] and first.has_more
    rest = store.page(limit=3, after=first.data[-1].id)
    assert [job.id for job in rest.data] == ids[2::-1] and not rest.has_more


def test_the_same_key_and_request_make_one_job_even_at_the_same_time(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: store.create(JobRequest(seed=4), "key"), range(8))
    assert len({job.id for job in made}) == 1
    assert len(store.page(limit=10).data) == 1


def test_a_key_is_refused_for_another_request(store: JobStore) -> None:
    store.create(JobRequest(seed=4), "key")
    with pytest.raises(ReadsmithError) as caught:
        store.create(JobRequest(seed=5), "key")
    assert caught.value.code == "idempotency_key_reused"


def test_no_more_jobs_wait_than_the_limit(database: Database) -> None:
    store = JobStore(database, max_queued_jobs=2)
    store.create(JobRequest())
    second = store.create(JobRequest())
    with pytest.raises(ReadsmithError) as caught:
        store.create(JobRequest())
    assert caught.value.code == "queue_full"
    store.cancel(second.id)
    store.create(JobRequest())


def test_no_more_jobs_wait_than_the_limit_even_at_the_same_time(database: Database) -> None:
    store = JobStore(database, max_queued_jobs=3)

    def make(_: int) -> str:
        try:
            return store.create(JobRequest()).status
        except ReadsmithError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(12)))
    assert (made.count("queued"), made.count("queue_full")) == (3, 9)


def test_no_job_is_made_for_an_upload_that_is_not_there(store: JobStore) -> None:
    with pytest.raises(ReadsmithError) as caught:
        store.create(JobRequest(dataset=DatasetRequest(id="dataset-" + "0" * 32)))
    assert caught.value.code == "dataset_not_found"
    assert store.page(10).data == []


def test_a_waiting_job_is_cancelled_at_once_and_only_then_final(store: JobStore) -> None:
    job = store.create(JobRequest())
    cancelled = store.cancel(job.id)
    assert cancelled.status is Status.CANCELLED and cancelled.finished_at is not None
    with pytest.raises(ReadsmithError) as caught:
        store.cancel(job.id)
    assert caught.value.code == "job_final"


def test_a_running_job_may_be_asked_to_stop_twice(store: JobStore, queue: JobQueue) -> None:
    job = store.create(JobRequest())
    queue.claim()
    assert store.cancel(job.id) == store.cancel(job.id)
    kinds = [event.type for event in store.events(job.id, 10).data]
    assert kinds == ["status", "status", "cancel"]


def test_a_job_is_finished_only_while_it_trains(store: JobStore, queue: JobQueue) -> None:
    job_id = store.create(JobRequest()).id
    refused(store, job_id, "queued")
    claim = queue.claim()
    assert claim is not None
    refused(store, job_id, "running")
    queue.stage(claim, Stage.DATASET)
    refused(store, job_id, "in stage dataset")
    queue.stage(claim, Stage.TRAIN)
    assert not queue.check(claim)
    finishing = store.finish(job_id)
    assert finishing.finish_requested and finishing.status is Status.RUNNING
    assert queue.check(claim)
    queue.stage(claim, Stage.EVALUATE)
    assert store.finish(job_id).finish_requested, "asked again, it answers the same"
    kinds = [event.type for event in store.events(job_id, 100).data]
    assert kinds == ["status", "status", "stage", "stage", "finish", "stage"]
    queue.cancelled(claim)
    with pytest.raises(ReadsmithError) as caught:
        store.finish(job_id)
    assert caught.value.code == "job_final"


def test_a_job_that_is_being_cancelled_is_not_finished(store: JobStore, queue: JobQueue) -> None:
    job_id = store.create(JobRequest()).id
    claim = queue.claim()
    assert claim is not None
    queue.stage(claim, Stage.TRAIN)
    store.cancel(job_id)
    refused(store, job_id, "being cancelled")


def test_the_next_attempt_knows_that_the_job_should_finish(
    store: JobStore, queue: JobQueue
) -> None:
    job_id = store.create(JobRequest()).id
    claim = queue.claim()
    assert claim is not None
    queue.stage(claim, Stage.TRAIN)
    store.finish(job_id)
    queue.requeue(claim, "The worker was stopped; queued again.")
    assert store.finish(job_id).status is Status.QUEUED, "asked again, it answers the same"
    again = queue.claim()
    assert again is not None and queue.check(again)


def refused(store: JobStore, job_id: str, stands: str) -> None:
    with pytest.raises(ReadsmithError, match=stands) as caught:
        store.finish(job_id)
    assert caught.value.code == "job_not_training"
    assert not store.get(job_id).finish_requested


def test_events_come_in_order_and_in_pages(store: JobStore, queue: JobQueue) -> None:
    job = store.create(JobRequest())
    claim = queue.claim()
    assert claim is not None
    queue.event(claim, "warning", "Three files cannot be read.", {"files": 3, "x": float("nan")})
    first = store.events(job.id, 2)
    assert [event.data["status"] for event in first.data] == ["queued", "running"]
    assert first.has_more
    rest = store.events(job.id, 2, after=first.data[-1].id)
    assert [(event.type, event.data) for event in rest.data] == [
        ("warning", {"files": 3, "x": None})
    ]
    assert not rest.has_more


def test_jobs_are_counted_by_status(store: JobStore, queue: JobQueue) -> None:
    for _ in range(3):
        store.create(JobRequest())
    queue.claim()
    counts = store.count_by_status()
    assert counts[Status.QUEUED] == 2 and counts[Status.RUNNING] == 1
    assert counts[Status.FAILED] == 0


def test_workers_count_while_they_give_signs_of_life(store: JobStore, queue: JobQueue) -> None:
    queue.heartbeat("a")
    queue.heartbeat("a")
    queue.heartbeat("b")
    assert store.live_workers(30) == 2
    assert store.live_workers(-1) == 0
    queue.remove_worker("a")
    assert store.live_workers(30) == 1
