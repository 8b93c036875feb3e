"""Files that several trainers and workers see."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.services.object_storage import BUCKET, variables
from trainer.files.shared_files import FolderFiles, SharedFiles
from trainer.settings import Settings


@pytest.fixture(params=["folder", "s3"])
def files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SharedFiles:
    if request.param == "folder":
        return Settings(shared_files=tmp_path / "shared").open_shared_files()
    for name, value in variables(request.getfixturevalue("rclone")).items():
        monkeypatch.setenv(name, value)
    return Settings(shared_files=f"s3://{BUCKET}/{uuid.uuid4().hex}").open_shared_files()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    path.write_bytes(b"content")
    return path


NAME = "uploads/dataset-1.zip"


def test_what_was_saved_is_fetched_and_read(files: SharedFiles, mine: Path, tmp_path: Path) -> None:
    files.save(mine, NAME)
    mine.unlink()
    assert files.fetch(NAME, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == files.read(NAME) == b"content"
    local = files.local(NAME, tmp_path)
    assert local is not None and local.read_bytes() == b"content"


def test_of_what_is_not_there_nothing_is_made(files: SharedFiles, tmp_path: Path) -> None:
    assert not files.fetch(NAME, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    assert files.read(NAME) is None
    assert files.local(NAME, tmp_path) is None
    assert files.names("uploads") == set()
    files.remove("uploads")


def test_saving_again_replaces_and_copies_fetched_before_stay(
    files: SharedFiles, mine: Path, tmp_path: Path
) -> None:
    files.save(mine, NAME)
    files.fetch(NAME, tmp_path / "first")
    files.save(mine, NAME)
    newer = tmp_path / "newer"
    newer.write_bytes(b"newer")
    files.save(newer, NAME)
    assert files.read(NAME) == b"newer"
    assert (tmp_path / "first").read_bytes() == b"content"
    files.write(b"small", NAME)
    assert files.read(NAME) == b"small"
    assert newer.read_bytes() == b"newer"
    assert files.names("") == {NAME}


def test_a_folder_is_listed_and_removed_with_everything_below(
    files: SharedFiles, mine: Path
) -> None:
    names = {"jobs/a/checkpoint.npz", "jobs/a/corrections.zip", "jobs/ab/checkpoint.npz"}
    for name in names:
        files.save(mine, name)
    assert files.names("jobs") == names
    assert files.names("jobs/a/checkpoint.npz") == {"jobs/a/checkpoint.npz"}
    files.remove("jobs/a")
    assert files.names("jobs") == {"jobs/ab/checkpoint.npz"}
    files.remove("jobs/ab/checkpoint.npz")
    assert files.names("jobs") == set()


def test_a_copy_on_this_machine_gives_way_when_there_are_too_many(
    rclone: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables(rclone).items():
        monkeypatch.setenv(name, value)
    settings = Settings(shared_files=f"s3://{BUCKET}/{uuid.uuid4().hex}", max_cache_bytes=10)
    files, cache = settings.open_shared_files(), tmp_path / "cache"
    for number in (1, 2):
        files.save(mine, f"uploads/{number}.zip")
    for number in (1, 2, 1):
        local = files.local(f"uploads/{number}.zip", cache)
        assert local is not None and local.read_bytes() == b"content"
        assert list(cache.iterdir()) == [local]


def test_many_at_once_get_one_copy(files: SharedFiles, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    (tmp_path / "large").write_bytes(data)
    files.save(tmp_path / "large", NAME)

    def read(_: int) -> bytes:
        local = files.local(NAME, tmp_path / "cache")
        assert local is not None
        return local.read_bytes()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(16))) == {data}


def test_a_folder_on_another_disk_gets_a_copy(
    tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FolderFiles(tmp_path / "shared")

    def refuse(source: object, target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    files.save(mine, NAME)
    mine.write_bytes(b"changed")
    assert files.read(NAME) == b"content"
