"""Models in a folder from before model.json: read as they are, and changed to it."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from shared.errors import BundleError
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import bundle_files, publish
from tests.support.models.publishers import ended, publish_and_die, started

FILES = len(bundle_files())


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Three versions of which the second is served, as an earlier release left them."""
    store = ModelStore(tmp_path / "models")
    for number in (1, 2, 3):
        publish(store, tmp_path / str(number), promote=number != 3, job_id=f"job-{number}")
    store.change_settings("default", ModelSettings(pattern="[a-c]+"))
    folder = store.root / "default"
    (folder / "model.json").unlink()
    (folder / ".lock").unlink()
    (folder / "current").write_text("2\n")
    (folder / "history.json").write_text('{"before":[1],"highest":3}')
    (folder / "settings.json").write_text('{"pattern": "[a-c]+"}')
    return ModelStore(store.root)


def state(store: ModelStore) -> tuple[list[int], int | None, int | None, str | None]:
    return (
        store.versions("default"),
        store.current("default"),
        store.previous("default"),
        store.settings("default").pattern,
    )


def names(store: ModelStore) -> set[str]:
    return {path.name for path in (store.root / "default").iterdir()}


BEFORE = ([1, 2, 3], 2, 1, "[a-c]+")


def test_reading_writes_nothing(store: ModelStore) -> None:
    before = sorted(store.root.rglob("*"))
    assert store.models() == ["default"]
    assert state(store) == BEFORE
    assert store.manifest("default", 3).job_id == "job-3"
    assert store.written("default", 3) == store.written("default", 3) is not None
    assert sorted(store.root.rglob("*")) == before


def test_a_change_of_the_files_is_seen(store: ModelStore) -> None:
    stamp = store.stamp("default", 2)
    (store.root / "default" / "current").write_text("1\n")
    os.utime(store.root / "default" / "current", ns=(1, 1))
    assert (store.current("default"), store.previous("default")) == (1, None)
    assert store.stamp("default", 2) != stamp


def test_the_first_change_makes_one_record_and_removes_the_files(store: ModelStore) -> None:
    store.promote("default", 3)
    assert names(store) == {"versions", ".lock", "model.json"}
    record = json.loads((store.root / "default" / "model.json").read_bytes())
    assert (record["current"], record["before"], record["given"]) == (3, [1, 2], 3)
    assert state(ModelStore(store.root)) == ([1, 2, 3], 3, 2, "[a-c]+")
    assert store.rollback("default") == 2


@pytest.mark.parametrize("survived", range(FILES + 3))
def test_a_kill_at_any_file_of_the_first_publication_changes_nothing(
    store: ModelStore, tmp_path: Path, survived: int
) -> None:
    victim = started(publish_and_die, store.root, tmp_path / "killed", "killed", survived)
    assert ended(victim) == [-signal.SIGKILL]
    assert state(store) == state(ModelStore(store.root)) == BEFORE


def test_files_that_a_kill_left_beside_the_record_do_not_count(store: ModelStore) -> None:
    left = {
        name: (store.root / "default" / name).read_bytes() for name in ("current", "history.json")
    }
    store.promote("default", 1)
    for name, data in left.items():
        (store.root / "default" / name).write_bytes(data)
    assert ModelStore(store.root).current("default") == 1
    assert store.rollback("default") == 2


def test_what_a_killed_publisher_of_an_earlier_release_left_is_removed(
    store: ModelStore, tmp_path: Path
) -> None:
    half = store.root / "default" / "versions" / "4"
    shutil.copytree(store.root / "default" / "versions" / "3", half)
    (half / "manifest.json").unlink()
    assert state(store) == BEFORE
    assert publish(store, tmp_path / "next").version == 5
    assert not half.exists()


def test_a_history_that_ends_with_the_served_version_was_cut_off(store: ModelStore) -> None:
    (store.root / "default" / "history.json").write_text('{"before":[1,9,1,2],"highest":3}')
    assert (store.current("default"), store.previous("default")) == (2, 1)


@pytest.mark.parametrize("content", ["", "{}}", '{"before": "1"}', '{"before": [], "x": 1}'])
def test_without_a_readable_history_only_the_way_back_is_lost(
    store: ModelStore, tmp_path: Path, content: str
) -> None:
    (store.root / "default" / "history.json").write_text(content)
    assert (store.current("default"), store.previous("default")) == (2, None)
    assert publish(store, tmp_path / "next").version == 4


@pytest.mark.parametrize("content", ["", "one", "-1", "0", "1 2", "\u0663"])
def test_a_damaged_current_is_named_and_the_next_publication_is_served(
    store: ModelStore, tmp_path: Path, content: str
) -> None:
    (store.root / "default" / "current").write_text(content)
    with pytest.raises(BundleError, match="current of model default"):
        store.current("default")
    publish(store, tmp_path / "next", job_id="job-4")
    assert (store.current("default"), store.settings("default").pattern) == (4, "[a-c]+")


@pytest.mark.parametrize("content", ["", "[]", '{"pattern": 1}'])
def test_damaged_settings_are_named_and_not_lost(
    store: ModelStore, tmp_path: Path, content: str
) -> None:
    (store.root / "default" / "settings.json").write_text(content)
    with pytest.raises(BundleError, match=r"settings\.json of model default is not valid"):
        store.settings("default")
    with pytest.raises(BundleError, match=r"settings\.json"):
        publish(store, tmp_path / "next", job_id="job-4")
