"""A hundred publications to an object storage that fails, by two writers, with kills."""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from signal import SIGKILL

import pytest

from shared.store.objects.bucket import Bucket
from shared.store.records.record import ModelRecord
from shared.store.records.records import ModelRecords
from tests.support.models.publishers import (
    Watcher,
    ended,
    look,
    opened,
    publish_often,
    publish_to_storage_and_die,
    published_numbers,
    started,
)
from tests.support.services.object_storage import BUCKET, Proxy

ADDRESS = f"s3://{BUCKET}/models"
PUBLICATIONS = 50
"""By each of two writers."""
KILLS = 18
POINTS = 9
"""Requests of a publication before which a writer is killed."""


@contextmanager
def failing(storage: Proxy) -> Iterator[None]:
    """Have a few requests fail every now and then, in one way or another."""
    over, chance = threading.Event(), random.Random(1)

    def fail() -> None:
        while not over.wait(2):
            storage.fail(chance.choice(["gone", "503", "cut", "unheard", "slow"]), times=5)

    thread = threading.Thread(target=fail)
    thread.start()
    yield
    over.set()
    thread.join()
    storage.work()


def test_two_writers_lose_nothing_and_show_nothing_half(
    storage: Proxy, storage_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_STORE_CACHE", str(tmp_path / "caches"))
    builds = tmp_path / "a", tmp_path / "b"
    proxied = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage_server)  # who looks on must not fail
    with Watcher(ADDRESS, tmp_path / "seen") as watcher:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxied)
        begun = time.monotonic()
        with failing(storage):
            writers = [
                started(publish_often, ADDRESS, build, build.name, PUBLICATIONS) for build in builds
            ]
            for number, survived in enumerate(islice(cycle(range(POINTS)), KILLS)):
                victim = started(
                    publish_to_storage_and_die,
                    ADDRESS,
                    tmp_path / "c",
                    f"killed-{number}",
                    survived,
                )
                assert ended(victim) == [-SIGKILL]
            assert ended(*writers) == [0, 0]
        seconds = time.monotonic() - begun
    numbers = published_numbers(*builds)
    print(
        f"{len(set(numbers))} versions of {2 * PUBLICATIONS} publications with {KILLS} kills in "
        f"{seconds:.0f} s; {watcher.looks:,} looks, {len(watcher.faults)} at something half"
    )
    assert watcher.faults == []
    assert len(set(numbers)) == len(numbers) == 2 * PUBLICATIONS
    store = opened(ADDRESS)
    assert look(store) == []
    record: ModelRecord = ModelRecords(Bucket(ADDRESS)).look("default")
    assert record.given >= max(numbers)
    assert store.current("default") == max(store.versions("default"))
