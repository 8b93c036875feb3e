"""The model store on a real S3-compatible server."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import BundleError, ReadsmithError
from shared.store.copy import copy_model
from shared.store.manifest import ONNX_MODEL, verify_bundle
from shared.store.object_store import ObjectModelStore
from shared.store.objects.bucket import Bucket
from shared.store.records.record import ModelSettings, Unfinished
from shared.store.records.records import ModelRecords
from shared.store.settings import StoreSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import manifest, publish
from tests.support.services.object_storage import BUCKET, Proxy

ADDRESS = f"s3://{BUCKET}/some/models"


@pytest.fixture
def store(storage: Proxy, tmp_path: Path) -> ModelStore:
    return opened(tmp_path / "cache")


def opened(cache: Path, keep: int = 5) -> ModelStore:
    return StoreSettings(store=ADDRESS, store_cache=cache).model_store(keep)


@pytest.fixture
def bucket(storage: Proxy) -> Bucket:
    return Bucket(ADDRESS)


def test_an_empty_bucket_is_an_empty_store(store: ModelStore) -> None:
    assert store.models() == []
    assert store.versions("default") == []
    assert store.current("default") is None
    assert store.problem() is None
    with pytest.raises(ReadsmithError, match="No version of a model 'default'"):
        store.promote("default", 1)


def test_versions_count_up_and_lie_as_in_a_folder(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        assert publish(store, tmp_path / str(number)).version == number
        assert store.current("default") == number
    publish(store, tmp_path / "other", model="plates")
    assert store.models() == ["default", "plates"]
    assert store.versions("default") == [1, 2, 3]
    files = store.manifest("default", 2).files
    verify_bundle(store.folder("default", 2), files)
    keys = bucket.keys("default/versions/2")
    names = {f"default/versions/2/{name}" for name in (*files, "manifest.json")}
    assert set(keys) == names


def test_what_is_served_goes_forth_and_back(store: ModelStore, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        publish(store, tmp_path / str(number), promote=number != 3)
    assert (store.current("default"), store.previous("default")) == (2, 1)
    store.promote("default", 3)
    assert [store.rollback("default"), store.rollback("default")] == [2, 1]
    with pytest.raises(ReadsmithError, match="No retained version"):
        store.rollback("default")
    with pytest.raises(ReadsmithError, match="no version 9"):
        store.promote("default", 9)
    store.change_settings("default", ModelSettings(pattern="[a-c]+"))
    assert store.settings("default").pattern == "[a-c]+"


def test_old_versions_go_with_their_files_and_the_served_one_stays(
    tmp_path: Path, bucket: Bucket
) -> None:
    store = opened(tmp_path / "cache", keep=2)
    for number in range(1, 6):
        publish(store, tmp_path / str(number), promote=number < 3)
    assert store.versions("default") == [1, 2, 4, 5]
    numbers = {key.split("/")[2] for key in bucket.keys("default/versions")}
    assert numbers == {"1", "2", "4", "5"}


def test_a_job_publishes_once_however_often_it_is_repeated(
    store: ModelStore, tmp_path: Path
) -> None:
    first = publish(store, tmp_path / "1", job_id="job-a")
    publish(store, tmp_path / "2", job_id="job-b")
    assert publish(store, tmp_path / "3", job_id="job-a") == first
    assert store.versions("default") == [1, 2]
    assert store.current("default") == 2


def test_an_attempt_that_another_one_has_overtaken_publishes_nothing(
    store: ModelStore, tmp_path: Path
) -> None:
    asked: list[int] = []

    def may_publish() -> None:
        asked.append(1)
        if len(asked) == 2:  # the files are there, the manifest is not
            publish(opened(tmp_path / "other"), tmp_path / "second", job_id="job-a")

    build = tmp_path / "second"
    publish(store, build, model="unused")  # makes the files
    with pytest.raises(ReadsmithError, match="Another attempt of job-a"):
        store.publish(
            build,
            lambda version, entries: manifest(version, entries, job_id="job-a"),
            model="default",
            job_id="job-a",
            may_publish=may_publish,
        )
    assert store.versions("default") == [2]
    assert store.manifest("default", 2).job_id == "job-a"


def test_a_refused_publish_leaves_nothing(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    asked: list[int] = []

    def refuse() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise PermissionError("another attempt holds the lease")

    publish(store, tmp_path / "1")
    with pytest.raises(PermissionError):
        store.publish(
            tmp_path / "1",
            lambda version, entries: manifest(version, entries, job_id="job"),
            model="default",
            job_id="job",
            may_publish=refuse,
        )
    assert len(asked) == 2
    assert store.versions("default") == [1]
    assert {key.split("/")[2] for key in bucket.keys("default/versions")} == {"1"}
    assert publish(store, tmp_path / "next").version == 3


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_bit_flipped_in_the_cache_is_noticed_and_the_version_fetched_anew(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    flip(store.folder("default", 1) / ONNX_MODEL)
    verify_bundle(store.folder("default", 1), store.manifest("default", 1).files)
    flip(store.folder("default", 1) / "manifest.json")
    verify_bundle(store.folder("default", 1), store.manifest("default", 1).files)
    more = store.folder("default", 1) / "golden" / "more.png"
    more.write_bytes(b"")
    verify_bundle(store.folder("default", 1), store.manifest("default", 1).files)
    assert not more.exists()


@pytest.mark.parametrize("name", [ONNX_MODEL, "manifest.json"])
def test_a_bit_flipped_in_the_storage_is_refused_and_not_kept(
    store: ModelStore, bucket: Bucket, tmp_path: Path, name: str
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2")
    key = f"default/versions/1/{name}"
    content = bucket.get(key)
    assert content is not None
    flipped = bytearray(content.data)
    flipped[len(flipped) // 2] ^= 1
    bucket.write(key, bytes(flipped))
    with pytest.raises(BundleError, match="SHA-256"):
        store.folder("default", 1)
    with pytest.raises(BundleError, match="SHA-256"):
        store.promote("default", 1)
    assert store.current("default") == 2
    bucket.write(key, content.data)
    store.promote("default", 1)
    verify_bundle(store.folder("default", 1), store.manifest("default", 1).files)


def test_a_version_that_lacks_a_file_is_refused(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    bucket.delete([f"default/versions/1/{ONNX_MODEL}"])
    with pytest.raises(BundleError, match="lacks a file"):
        store.folder("default", 1)


def test_the_cache_has_its_bound_and_what_is_served_stays(storage: Proxy, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    store = opened(cache)
    for number in (1, 2, 3, 4):
        publish(store, tmp_path / str(number), characters="abcdefg"[number:])
    size = sum(f.stat().st_size for f in store.folder("default", 4).rglob("*"))
    small = StoreSettings(store=ADDRESS, store_cache=cache, store_cache_bytes=3 * size)
    store = small.model_store()
    served = store.folder("default", 4)
    os.utime(served, (0, 0))
    for number in (1, 2, 3):
        folder = store.folder("default", number)
        os.utime(folder, (number, number))
        assert served.is_dir()
        assert folder.is_dir()
    kept = sorted(path.name for path in (cache / "bundles").iterdir())
    assert served.name in kept
    assert len(kept) <= 3
    assert store.folder("default", 1).is_dir()


def test_a_damaged_record_is_named_and_nothing_is_changed(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    bucket.write("default/model.json", b'{"current": "one"}')
    with pytest.raises(BundleError, match=r"model\.json of model default is not valid at current"):
        store.current("default")
    with pytest.raises(BundleError):
        publish(store, tmp_path / "2", job_id="job")


def test_a_name_that_is_no_model_never_reaches_the_storage(store: ModelStore) -> None:
    assert isinstance(store, ObjectModelStore)
    for name in ("../other", "a/b", "", ".."):
        assert store.versions(name) == []


def test_a_model_is_copied_from_a_folder_with_its_numbers_and_its_way_back(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    source = ModelStore(tmp_path / "folder", keep=2)
    for number in range(1, 5):
        publish(source, tmp_path / str(number), promote=number != 4)
    source.change_settings("default", ModelSettings(pattern="[a-c]+"))
    copy_model(source, bucket, "default")
    for of in (ModelStore.versions, ModelStore.current, ModelStore.previous, ModelStore.settings):
        name = of.__name__
        assert getattr(store, name)("default") == getattr(source, name)("default")
    for version in source.versions("default"):
        verify_bundle(store.folder("default", version), source.manifest("default", version).files)
    assert publish(store, tmp_path / "next").version == 5
    with pytest.raises(ReadsmithError, match="There is a model default already"):
        copy_model(source, bucket, "default")


def test_what_a_cut_off_publication_left_goes_after_a_day_and_others_at_work_are_left_alone(
    store: ModelStore, bucket: Bucket, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    records = ModelRecords(bucket)
    for number, days in ((2, 2), (3, 0)):
        since = datetime.now(UTC) - timedelta(days=days)
        one = Unfinished(job_id=f"job-{days}", publication=f"{days}", since=since)
        records.change("default", lambda record, one=one: record.begun(one))  # type: ignore[misc]
        bucket.write(f"default/versions/{number}/prediction_model.h5", b"half")
    publish(store, tmp_path / "4")
    publish(store, tmp_path / "5")
    assert store.versions("default") == [1, 4, 5]
    numbers = {key.split("/")[2] for key in bucket.keys("default/versions")}
    assert numbers == {"1", "3", "4", "5"}
