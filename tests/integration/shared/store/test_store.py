import errno
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from shared.store.manifest import FileEntry, Manifest, read_manifest, verify_files
from shared.store.objects.folder import Folder
from shared.store.store import ModelStore
from tests.support.models.bundles import bundle_files, manifest, publish
from tests.support.models.publishers import (
    Watcher,
    ended,
    publish_and_die,
    publish_often,
    published_numbers,
    started,
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def assert_whole(store: ModelStore, model: str = "default") -> None:
    """Every version that can be seen is complete."""
    for version in store.versions(model):
        folder = store.folder(model, version)
        verify_files(folder, read_manifest(folder).files)


def test_a_store_that_does_not_exist_is_empty(store: ModelStore) -> None:
    assert store.models() == []
    assert store.versions("default") == []
    assert store.current("default") is None


def test_versions_count_up_and_the_newest_is_current(store: ModelStore, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        assert publish(store, tmp_path / str(number)).version == number
        assert store.current("default") == number
    publish(store, tmp_path / "other", model="plates")
    assert store.models() == ["default", "plates"]
    assert store.versions("default") == [1, 2, 3]
    assert store.versions("plates") == [1]
    assert_whole(store)


def test_a_job_publishes_once_however_often_it_is_repeated(
    store: ModelStore, tmp_path: Path
) -> None:
    first = publish(store, tmp_path / "1", job_id="job-a")
    publish(store, tmp_path / "2", job_id="job-b")
    assert publish(store, tmp_path / "3", job_id="job-a") == first
    assert store.versions("default") == [1, 2]
    assert store.current("default") == 2


def test_a_refused_publish_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    def refuse() -> None:
        raise PermissionError("another attempt holds the lease")

    with pytest.raises(PermissionError):
        store.publish(tmp_path, never_built, model="default", job_id="job", may_publish=refuse)
    assert store.models() == []
    assert store.current("default") is None


def never_built(version: int, files: dict[str, FileEntry]) -> Manifest:
    raise AssertionError("nothing must be published")


def test_a_damaged_neighbour_does_not_stop_a_new_version(store: ModelStore, tmp_path: Path) -> None:
    publish(store, tmp_path / "1")
    (store.folder("default", 1) / "manifest.json").write_text("{")
    assert publish(store, tmp_path / "2").version == 2


def test_folders_that_are_no_models_are_not_listed(store: ModelStore, tmp_path: Path) -> None:
    publish(store, tmp_path / "build")
    (store.root / "lost+found").mkdir()
    (store.root / "Upper" / "versions" / "1").mkdir(parents=True)
    (store.root / "Upper" / "versions" / "1" / "manifest.json").touch()
    (store.root / "empty" / "versions").mkdir(parents=True)
    assert store.models() == ["default"]


def test_processes_that_publish_at_once_get_versions_of_their_own_and_no_half_one_is_seen(
    store: ModelStore, tmp_path: Path
) -> None:
    builds = tmp_path / "a", tmp_path / "b"
    with Watcher(store.root, tmp_path / "seen") as watcher:
        killed(store, tmp_path / "killed", FILES)
        writers = [started(publish_often, store.root, each, each.name, 5) for each in builds]
        assert ended(*writers) == [0, 0]
    assert watcher.looks > 0
    assert watcher.faults == []
    assert published_numbers(*builds) == list(range(2, 12))
    versions = store.versions("default")
    assert set(versions) >= {7, 8, 9, 10, 11}
    assert store.current("default") in versions  # who ends last is served, whatever its number
    assert len({store.manifest("default", version).job_id for version in versions}) == len(versions)


FILES = len(bundle_files())
"""The record is written before them, where the number is given; then come manifest and record."""


@pytest.mark.parametrize("survived", [0, 1, FILES, FILES + 1, FILES + 2])
def test_a_publisher_killed_before_its_version_is_listed_leaves_nothing(
    store: ModelStore, tmp_path: Path, survived: int
) -> None:
    publish(store, tmp_path / "good")
    killed(store, tmp_path / "killed", survived)
    assert (store.versions("default"), store.current("default")) == ([1], 1)
    version = publish(store, tmp_path / "next", job_id="another").version
    assert version == (3 if survived else 2)  # no number is given twice
    assert (store.versions("default"), store.current("default")) == ([1, version], version)
    assert_whole(store)
    assert sorted(path.name for path in store.root.glob("default/versions/*")) == [
        "1",
        f"{version}",
    ]


def test_a_publisher_killed_once_its_version_is_listed_has_published(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    publish(store, tmp_path / "good")
    monkeypatch.setattr("shared.store.store.remove_garbage", die)
    with pytest.raises(KeyboardInterrupt):
        publish(store, tmp_path / "killed", job_id="killed")
    assert publish(store, tmp_path / "again", job_id="killed").version == 2
    assert store.versions("default") == [1, 2]
    assert (store.current("default"), store.previous("default")) == (2, 1)


def test_an_attempt_that_another_one_has_overtaken_publishes_nothing(
    store: ModelStore, tmp_path: Path
) -> None:
    asked: list[int] = []

    def may_publish() -> None:
        asked.append(1)
        if len(asked) == 2:  # the files are there, the manifest is not
            publish(ModelStore(store.root), tmp_path / "second", job_id="job-a")

    build = tmp_path / "first"
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
    assert [path.name for path in store.root.glob("default/versions/*")] == ["2"]


def test_who_is_slow_to_publish_is_not_taken_for_dead(store: ModelStore, tmp_path: Path) -> None:
    asked: list[int] = []

    def may_publish() -> None:
        asked.append(1)
        if len(asked) == 2:
            publish(ModelStore(store.root), tmp_path / "second", job_id="job-b")

    build = tmp_path / "first"
    publish(store, build, model="unused")
    store.publish(
        build,
        lambda version, entries: manifest(version, entries, job_id="job-a"),
        model="default",
        job_id="job-a",
        may_publish=may_publish,
    )
    assert store.versions("default") == [1, 2]
    assert_whole(store)


def killed(store: ModelStore, build: Path, survived: int) -> None:
    worker = started(publish_and_die, store.root, build, "killed", survived)
    assert ended(worker) == [-signal.SIGKILL]


def test_what_a_killed_publisher_was_writing_is_swept_up(store: ModelStore, tmp_path: Path) -> None:
    for survived in (0, 2, FILES + 2):
        killed(store, tmp_path / "killed", survived)
    publish(store, tmp_path / "next")
    left = [path.name for path in store.root.rglob("*.tmp")]
    assert left == []


def test_what_cannot_be_written_to_its_end_leaves_nothing(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "good")
    before = sorted(store.root.rglob("*"))

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.startswith(".prediction_model.onnx"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        publish(store, tmp_path / "full")
    assert sorted(store.root.rglob("*")) == before


def test_a_publication_whose_files_are_gone_meanwhile_leaves_not_even_a_folder(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a stale attempt: its job is over, and a worker has deleted the job's files."""
    publish(store, tmp_path / "good")
    before = sorted(store.root.rglob("*"))
    send = Folder.send

    def send_late(folder: Folder, files: Mapping[str, Path]) -> None:
        shutil.rmtree(tmp_path / "late")
        send(folder, files)

    monkeypatch.setattr(Folder, "send", send_late)
    with pytest.raises(FileNotFoundError):
        publish(store, tmp_path / "late")
    assert sorted(store.root.rglob("*")) == before


def test_a_folder_in_which_a_killed_publisher_had_written_nothing_is_swept_up(
    store: ModelStore, tmp_path: Path
) -> None:
    killed(store, tmp_path / "killed", 1)
    for aside in store.folder("default", 1).rglob("*.tmp"):
        aside.unlink()
    assert list(store.folder("default", 1).rglob("*")) == [store.folder("default", 1) / "golden"]
    publish(store, tmp_path / "next")
    assert [path.name for path in store.root.glob("default/versions/*")] == ["2"]


def test_a_manifest_lists_every_file_below_the_build(store: ModelStore, tmp_path: Path) -> None:
    seen: dict[str, FileEntry] = {}

    def remember(version: int, files: Mapping[str, FileEntry]) -> Manifest:
        seen.update(files)
        return manifest(version, files)

    build = tmp_path / "build"
    (build / "report").mkdir(parents=True)
    (build / "report" / "metrics.json").write_text("{}")
    for name, data in bundle_files().items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(data)
    store.publish(build, remember, model="default", job_id="job")
    assert set(seen) == {*bundle_files(), "report/metrics.json"}
