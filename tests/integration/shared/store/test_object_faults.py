"""Publishing on a real S3-compatible server that fails, with several writers, and killed ones."""

import errno
import os
import signal
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
)
from pydantic import ValidationError

from shared.errors import StorageAwayError, StorageError
from shared.store.manifest import verify_bundle
from shared.store.objects import connection as storage_connection
from shared.store.objects.bucket import Bucket
from shared.store.objects.connection import StorageConnection
from shared.store.records import publication as object_publication
from shared.store.records.records import ModelRecords
from shared.store.settings import StoreSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import manifest, publish
from tests.support.models.publishers import (
    Watcher,
    change_pattern_often,
    ended,
    opened,
    publish_often,
    publish_to_storage_and_die,
    published_numbers,
    roll_back_often,
    started,
)
from tests.support.services.object_storage import BUCKET, Proxy, variables

ADDRESS = f"s3://{BUCKET}/models"


@pytest.fixture(autouse=True)
def places(storage: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_STORE_CACHE", str(tmp_path / "caches"))
    monkeypatch.setattr(object_publication, "PAUSE_SECONDS", 0.1)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return opened(ADDRESS)


def assert_whole(store: ModelStore) -> None:
    for version in store.versions("default"):
        manifest = store.manifest("default", version)
        verify_bundle(store.folder("default", version), manifest.files)


def test_two_writers_at_once_lose_nothing_and_no_half_version_is_seen(tmp_path: Path) -> None:
    builds = tmp_path / "a", tmp_path / "b"
    with Watcher(ADDRESS, tmp_path / "seen") as watcher:
        writers = [started(publish_often, ADDRESS, each, each.name, 6, 1000) for each in builds]
        assert ended(*writers) == [0, 0]
    assert watcher.looks > 0
    assert watcher.faults == []
    assert published_numbers(*builds) == list(range(1, 13))
    assert opened(ADDRESS).versions("default") == list(range(1, 13))


def test_publications_rollbacks_and_settings_at_once_lose_nothing(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "first")
    build, went_back = tmp_path / "a", tmp_path / "went-back"
    processes = [
        started(publish_often, ADDRESS, build, "a", 5, 1000),
        started(roll_back_often, ADDRESS, 4, went_back),
        started(change_pattern_often, ADDRESS, 4),
    ]
    assert ended(*processes) == [0, 0, 0]
    record = ModelRecords(Bucket(ADDRESS)).look("default")
    assert record.numbers == list(range(1, 7))
    assert len(record.before) == 5 - int(went_back.read_text())
    assert record.settings.pattern == "[a-c]{1,4}"
    assert record.unfinished == {}


def kill_publisher(build: Path, survived: int) -> None:
    victim = started(publish_to_storage_and_die, ADDRESS, build, "killed", survived)
    assert ended(victim) == [-signal.SIGKILL]


@pytest.mark.parametrize("survived", [5, 7])
def test_a_killed_publisher_leaves_no_half_version_and_can_try_again(
    store: ModelStore, tmp_path: Path, survived: int
) -> None:
    publish(store, tmp_path / "good")
    assert ended(
        started(publish_to_storage_and_die, ADDRESS, tmp_path / "killed", "killed", survived)
    ) == [-signal.SIGKILL]
    assert store.versions("default") == [1]
    assert store.current("default") == 1
    assert_whole(store)
    version = publish(store, tmp_path / "again", job_id="killed").version
    assert store.versions("default") == [1, version]
    assert store.current("default") == version
    assert_whole(store)
    numbers = {key.split("/")[2] for key in Bucket(ADDRESS).keys("default/versions")}
    assert numbers == {"1", str(version)}


def test_a_publisher_killed_when_its_version_is_listed_has_published(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    assert ended(
        started(publish_to_storage_and_die, ADDRESS, tmp_path / "killed", "killed", 8)
    ) == [-signal.SIGKILL]
    assert (store.versions("default"), store.current("default")) == ([1, 2], 2)
    assert publish(store, tmp_path / "again", job_id="killed").version == 2


@pytest.mark.parametrize(
    ("fault", "point"), [("gone", 1), ("503", 2), ("unheard", 1), ("unheard", 2)]
)
def test_a_storage_that_fails_for_a_while_costs_no_publication(
    store: ModelStore, storage: Proxy, tmp_path: Path, fault: str, point: int
) -> None:
    publish(store, tmp_path / "1")
    asked = 0

    def may_publish() -> None:
        nonlocal asked
        asked += 1
        if asked == point:
            storage.fail(fault, times=5)

    published = store.publish(
        tmp_path / "1",
        lambda version, entries: manifest(version, entries, job_id="job"),
        model="default",
        job_id="job",
        may_publish=may_publish,
    )
    storage.work()
    assert published.version == store.current("default")
    assert store.versions("default") == [1, published.version]
    assert store.previous("default") == 1
    assert_whole(store)


def test_a_storage_that_stays_away_fails_a_publication_and_leaves_nothing_to_see(
    store: ModelStore, storage: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "1")
    monkeypatch.setattr(object_publication, "TIMEOUT_SECONDS", 0.0)

    def may_publish() -> None:
        storage.fail("gone")

    with pytest.raises(StorageError, match="cannot be reached"):
        store.publish(
            tmp_path / "1",
            lambda version, entries: manifest(version, entries, job_id="job"),
            model="default",
            job_id="job",
            may_publish=may_publish,
        )
    storage.work()
    assert store.versions("default") == [1]
    assert publish(store, tmp_path / "2").version == 2


def test_a_storage_that_goes_away_right_after_a_publication_takes_nothing_back(
    store: ModelStore, storage: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_garbage = object_publication.remove_garbage

    def go_away(*of_the_model: Any) -> None:
        storage.fail("gone")
        remove_garbage(*of_the_model)

    monkeypatch.setattr("shared.store.store.remove_garbage", go_away)
    assert publish(store, tmp_path / "1", job_id="job").version == 1
    assert store.current_if_known("default") == 1


def test_slow_and_broken_answers_are_read_whole_in_the_end(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    storage.fail("cut", times=2)
    assert_whole(store)
    storage.fail("slow")
    assert_whole(opened(ADDRESS, keep=6))


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        ("s3://no-such-bucket/x", {}, "There is no bucket for s3://no-such-bucket/x."),
        (ADDRESS, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "cannot be reached"),
        (ADDRESS, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials"),
        (ADDRESS, {"AWS_ENDPOINT_URL": "minio.lan:9000"}, "Invalid endpoint: minio.lan:9000."),
        (ADDRESS, {"AWS_PROFILE": "nope"}, "nope"),
        (ADDRESS, {"AWS_REGION": "eu_central 1"}, "eu_central 1"),
    ],
)
def test_what_is_wrong_with_the_settings_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
    change: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in change.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    problem = opened(place).problem()
    assert problem is not None
    assert message in problem
    assert "\n" not in problem


def test_a_storage_without_tls_where_the_address_says_https_is_away(
    storage: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", plain.replace("http:", "https:"))
    with pytest.raises(StorageAwayError, match="cannot be reached safely: SSL") as caught:
        opened(ADDRESS).models()
    assert "AWS_CA_BUNDLE" in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        ProxyConnectionError(proxy_url="http://x"),
        EndpointConnectionError(endpoint_url="http://x"),
        ConnectionClosedError(endpoint_url="http://x"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_storage_that_does_not_answer_is_away(error: Exception) -> None:
    def fail(_storage: object) -> NoReturn:
        raise error

    with pytest.raises(StorageAwayError, match="cannot be reached"):
        StorageConnection(ADDRESS).run(fail)


def test_an_error_of_this_machines_own_disk_passes_through() -> None:
    def fail(_storage: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        StorageConnection(ADDRESS).run(fail)


def test_a_storage_that_writes_without_regard_to_conditions_is_refused(
    rclone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(rclone).items():
        monkeypatch.setenv(name, value)
    store = opened(ADDRESS)
    assert "without regard to conditions" in (store.problem() or "")
    with pytest.raises(StorageError, match="without regard to conditions"):
        publish(store, tmp_path / "1")
    assert Bucket(ADDRESS).keys("") == set()


def test_without_the_package_a_setting_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage_connection, "find_spec", lambda name: None)
    with pytest.raises(StorageError) as caught:
        opened(ADDRESS)
    assert caught.value.hint == "pip install 'readsmith[s3]'"


@pytest.mark.parametrize(
    "place", ["s3://", "s3:/bucket", "s3://UPPER/x", "https://host/x", "s3://b/../x?"]
)
def test_an_address_that_cannot_be_is_refused_at_the_edge(place: str) -> None:
    with pytest.raises(ValidationError, match="should be a folder or s3://bucket/prefix"):
        StoreSettings(store=place)
