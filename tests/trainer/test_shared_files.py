"""Files that several trainers and workers see."""

import os
from pathlib import Path

import pytest

from trainer.shared_files import FolderFiles, SharedFiles


@pytest.fixture
def files(tmp_path: Path) -> SharedFiles:
    return FolderFiles(tmp_path / "shared")


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


def test_a_folder_on_another_disk_gets_a_copy(
    files: SharedFiles, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    files.save(mine, NAME)
    mine.write_bytes(b"changed")
    assert files.read(NAME) == b"content"
