import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from shared.api.datasets import Upload
from shared.api.jobs import JobError
from shared.errors import ReadsmithError
from tests.support.labelled_images import write_zip
from trainer.database.datasets.room import DatasetRoom
from trainer.database.datasets.uploads import ABANDONED_SECONDS, Uploads
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.files.cache import limit_cache
from trainer.pipeline.downloads.partial_file import open_part
from trainer.schemas.job_request import DatasetRequest, JobRequest
from trainer.settings import Settings

SIZE = 1000


@pytest.fixture
def uploads(database: Database, settings: Settings) -> Uploads:
    """Room for three zips of SIZE."""
    files = settings.open_shared_files()
    room = DatasetRoom(database, files, 3 * SIZE)
    return Uploads(database, settings.uploads, files, room, max_bytes=2 * SIZE)


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    empty = write_zip(tmp_path / "x.zip", {"a.png": b""}).stat().st_size
    return write_zip(tmp_path / "x.zip", {"a.png": bytes(SIZE - empty)}).read_bytes()


def send(uploads: Uploads, data: bytes, announced: int | None = SIZE) -> Upload:
    with uploads.incoming(announced) as incoming:
        incoming.write(data)
        return uploads.save(incoming)


def job_on(upload: Upload) -> JobRequest:
    return JobRequest(dataset=DatasetRequest(id=upload.id))


def is_kept(uploads: Uploads, upload: Upload) -> bool:
    try:
        return uploads.get(upload.id) == upload
    except ReadsmithError as error:
        assert error.code == "dataset_not_found"
        return False


def refusal(uploads: Uploads, data: bytes, announced: int | None = SIZE) -> str:
    with pytest.raises(ReadsmithError) as caught:
        send(uploads, data, announced)
    return caught.value.code


def removal(uploads: Uploads, upload: Upload) -> str:
    try:
        uploads.remove(upload.id)
    except ReadsmithError as error:
        return error.code
    return "done"


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.uploads.iterdir())


def test_an_upload_is_kept_until_it_is_deleted(
    uploads: Uploads, data: bytes, settings: Settings
) -> None:
    upload = send(uploads, data)
    assert is_kept(uploads, upload) and files(settings) == [f"{upload.id}.zip"]
    uploads.remove(upload.id)
    assert not is_kept(uploads, upload) and files(settings) == []
    assert removal(uploads, upload) == "dataset_not_found"


def test_after_the_last_upload_was_deleted_the_next_is_taken(
    uploads: Uploads, data: bytes, settings: Settings
) -> None:
    uploads.remove(send(uploads, data).id)
    upload = send(uploads, data)
    assert files(settings) == [f"{upload.id}.zip"]


def test_an_upload_stays_while_a_job_may_need_it(
    uploads: Uploads, data: bytes, store: JobStore, queue: JobQueue
) -> None:
    upload = send(uploads, data)
    store.create(job_on(upload))
    assert removal(uploads, upload) == "dataset_in_use"
    claim = queue.claim()
    assert claim is not None
    assert removal(uploads, upload) == "dataset_in_use"
    queue.fail(claim, JobError(code="x", message="It failed."))
    assert removal(uploads, upload) == "done"


def test_the_oldest_upload_that_no_job_needs_gives_way_to_a_new_one(
    uploads: Uploads, data: bytes, store: JobStore
) -> None:
    first, second, third = (send(uploads, data) for _ in range(3))
    store.create(job_on(first))
    fourth = send(uploads, data)
    kept = [is_kept(uploads, upload) for upload in (first, second, third, fourth)]
    assert kept == [True, False, True, True]


def test_an_upload_is_refused_when_jobs_need_all_that_are_kept(
    uploads: Uploads, data: bytes, store: JobStore, settings: Settings
) -> None:
    needed = [send(uploads, data) for _ in range(3)]
    job, *_ = [store.create(job_on(upload)) for upload in needed]
    assert refusal(uploads, data) == "uploads_full"
    assert all(is_kept(uploads, upload) for upload in needed) and len(files(settings)) == 3
    store.cancel(job.id)
    send(uploads, data)
    assert not is_kept(uploads, needed[0])


def test_what_could_not_make_room_enough_removes_nothing(
    uploads: Uploads, data: bytes, store: JobStore
) -> None:
    needed, other, another = (send(uploads, data) for _ in range(3))
    for upload in (needed, other):
        store.create(job_on(upload))
    assert refusal(uploads, data, announced=2 * SIZE) == "uploads_full"
    assert is_kept(uploads, another)


def test_zips_that_still_arrive_count_by_what_was_announced(uploads: Uploads, data: bytes) -> None:
    with uploads.incoming(2 * SIZE):
        assert refusal(uploads, data, announced=2 * SIZE) == "uploads_full"
        assert refusal(uploads, data, announced=None) == "uploads_full"
        send(uploads, data)
    send(uploads, data, announced=None)


def test_a_zip_that_breaks_off_leaves_its_room_and_no_file(
    uploads: Uploads, data: bytes, settings: Settings
) -> None:
    for _ in range(4):
        with suppress(ConnectionError), uploads.incoming(2 * SIZE) as incoming:
            incoming.write(data[:100])
            raise ConnectionError
    assert files(settings) == []


def test_an_upload_whose_file_is_gone_is_not_there_and_gives_way(
    uploads: Uploads, data: bytes, settings: Settings
) -> None:
    upload = send(uploads, data)
    (settings.uploads / f"{upload.id}.zip").unlink()
    assert not is_kept(uploads, upload)
    kept = [send(uploads, data) for _ in range(3)]
    assert all(is_kept(uploads, one) for one in kept)


def test_half_an_upload_of_a_killed_trainer_is_removed_after_a_day(
    uploads: Uploads, data: bytes, settings: Settings
) -> None:
    old, fresh = settings.uploads / "old.part", settings.uploads / "fresh.part"
    for part in (old, fresh):
        part.write_bytes(b"half")
    yesterday = time.time() - ABANDONED_SECONDS - 1
    os.utime(old, (yesterday, yesterday))
    upload = send(uploads, data)
    assert files(settings) == sorted([f"{upload.id}.zip", "fresh.part"])


def test_of_a_job_and_a_deletion_at_the_same_time_one_wins(
    uploads: Uploads, data: bytes, store: JobStore
) -> None:
    def make_job(upload: Upload) -> str:
        try:
            job = store.create(job_on(upload))
        except ReadsmithError as error:
            return error.code
        store.cancel(job.id)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            upload = send(uploads, data)
            made = pool.submit(make_job, upload)
            removed = pool.submit(removal, uploads, upload)
            assert (made.result(), removed.result()) in [
                ("done", "dataset_in_use"),
                ("done", "done"),  # deleted after the job was cancelled
                ("dataset_not_found", "done"),
            ]


def test_the_downloads_that_were_not_used_for_longest_are_removed(tmp_path: Path) -> None:
    for age, name in enumerate(["used.zip", "new.zip", "old.zip", "oldest.part"]):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (0, 1e9 - age))
    limit_cache(tmp_path, 250)
    assert {path.name for path in tmp_path.iterdir()} == {"used.zip", "new.zip"}
    limit_cache(tmp_path / "not there yet", 250)


def test_a_download_in_progress_is_not_removed(tmp_path: Path) -> None:
    with open_part(tmp_path, "a") as part, open_part(tmp_path, "a") as other:
        part.write(bytes(100))
        limit_cache(tmp_path, 0)
        assert {path.name for path in tmp_path.iterdir()} == {part.path.name, other.path.name}
        part.complete_as(tmp_path / "whole.zip")
    limit_cache(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []
