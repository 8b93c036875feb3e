"""Promote, roll back and keep: which versions a model store serves, and which it removes."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import BundleError, ReadsmithError
from shared.store.manifest import ONNX_MODEL
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from tests.support.models.publishers import lost_changes

SPAWN = multiprocessing.get_context("spawn")
PublishSome = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def publish_some(store: ModelStore, tmp_path: Path) -> PublishSome:
    """Publish so many versions, of which those in `unserved` do not become current."""

    def publish_versions(count: int, unserved: tuple[int, ...] = ()) -> None:
        for _ in range(count):
            number = max(store.versions("default"), default=0) + 1
            publish(store, tmp_path / "build", promote=number not in unserved)

    return publish_versions


def refused(code: str, change: Callable[[], object]) -> ReadsmithError:
    with pytest.raises(ReadsmithError) as caught:
        change()
    assert caught.value.code == code
    return caught.value


def test_a_version_that_is_not_promoted_exists_but_is_not_current(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(2, unserved=(2,))
    assert store.versions("default") == [1, 2]
    assert (store.current("default"), store.previous("default")) == (1, None)


def test_a_promoted_version_is_current_and_the_one_before_it_is_known(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(3)
    store.promote("default", 1)
    assert (store.current("default"), store.previous("default")) == (1, 3)
    store.promote("default", 1)
    assert (store.current("default"), store.previous("default")) == (1, 3)


def test_each_rollback_goes_one_step_further_back(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(3)
    store.promote("default", 1)
    went_back = [store.rollback("default") for _ in range(3)]
    assert went_back == [3, 2, 1]
    assert store.current("default") == 1
    error = refused("no_earlier_version", lambda: store.rollback("default"))
    assert "1, 2, 3" in error.hint


def test_a_version_published_after_a_rollback_leads_back_to_what_was_served(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(2)
    store.rollback("default")
    publish_some(1)
    assert (store.current("default"), store.previous("default")) == (3, 1)


def test_a_version_that_is_not_there_is_not_promoted(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(2)
    error = refused("version_not_found", lambda: store.promote("default", 7))
    assert error.hint == "Kept are 1, 2."
    assert store.current("default") == 2


def test_changes_to_a_model_that_is_not_there_leave_no_trace(store: ModelStore) -> None:
    for change in (
        lambda: store.promote("none", 1),
        lambda: store.rollback("none"),
        lambda: store.change_settings("none", ModelSettings(pattern="[0-9]")),
    ):
        refused("model_not_found", change)
    assert not store.root.exists()


def test_a_damaged_version_becomes_current_in_no_way(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(2)
    graph = store.folder("default", 1) / ONNX_MODEL
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match=ONNX_MODEL):
        store.promote("default", 1)
    with pytest.raises(BundleError, match=ONNX_MODEL):
        store.rollback("default")
    assert (store.current("default"), store.previous("default")) == (2, 1)


def test_a_current_that_cannot_be_read_is_replaced(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(2)
    (store.root / "default" / "current").write_text("two")
    publish_some(1)
    assert (store.current("default"), store.previous("default")) == (3, 1)


def test_a_current_written_by_hand_counts(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(3)
    (store.root / "default" / "current").write_text("1")
    assert store.rollback("default") == 2


@pytest.mark.parametrize("content", ["", "{}}", '{"before": "1"}', '{"before": [], "x": 1}'])
def test_without_a_readable_history_only_the_way_back_is_lost(
    store: ModelStore, publish_some: PublishSome, content: str
) -> None:
    publish_some(2)
    (store.root / "default" / "history.json").write_text(content)
    refused("no_earlier_version", lambda: store.rollback("default"))
    publish_some(1)
    assert (store.current("default"), store.previous("default")) == (3, 2)


def test_the_last_five_versions_are_kept(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(7)
    assert store.versions("default") == [3, 4, 5, 6, 7]
    assert sorted(p.name for p in (store.root / "default" / "versions").iterdir()) == list("34567")


def test_the_current_version_and_the_one_before_it_are_never_removed(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(9, unserved=(3, 4, 5, 6, 7, 8, 9))
    assert store.versions("default") == [1, 2, 5, 6, 7, 8, 9]
    assert store.rollback("default") == 1


def test_rollback_passes_over_versions_that_were_removed(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(7)
    assert [store.rollback("default") for _ in range(4)] == [6, 5, 4, 3]
    refused("no_earlier_version", lambda: store.rollback("default"))


def test_nothing_is_removed_while_it_is_not_known_what_is_served(
    store: ModelStore, publish_some: PublishSome
) -> None:
    publish_some(5)
    (store.root / "default" / "current").write_text("?")
    publish_some(2, unserved=(6, 7))
    assert store.versions("default") == [1, 2, 3, 4, 5, 6, 7]


def test_a_number_is_never_given_twice(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(3)
    (store.folder("default", 3) / "manifest.json").unlink()
    publish_some(1)
    assert store.versions("default") == [1, 2, 4]


def test_an_attempt_repeated_after_a_rollback_does_not_undo_it(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", job_id="job-a")
    publish(store, tmp_path / "2", job_id="job-b")
    store.rollback("default")
    assert publish(store, tmp_path / "2", job_id="job-b").version == 2
    assert store.current("default") == 1


def die_at_write(root: Path, survived: int, change: str) -> None:
    """Change the model's current version and be killed before the next file is replaced."""
    replace = Path.replace
    writes = 0

    def replace_or_die(self: Path, target: Path) -> Path:
        nonlocal writes
        if writes == survived:
            os.kill(os.getpid(), signal.SIGKILL)
        writes += 1
        return replace(self, target)

    Path.replace = replace_or_die  # type: ignore[assignment, method-assign]
    store = ModelStore(root)
    if change == "promote":
        store.promote("default", 1)
    else:
        store.rollback("default")


@pytest.mark.parametrize(
    ("change", "survived", "expected"),
    [
        ("promote", 0, (3, 2)),
        ("promote", 1, (3, 2)),
        ("rollback", 0, (3, 2)),
        ("rollback", 1, (2, 1)),
    ],
)
def test_a_change_that_is_killed_is_done_or_not_done(
    store: ModelStore,
    publish_some: PublishSome,
    change: str,
    survived: int,
    expected: tuple[int, int],
) -> None:
    publish_some(3)
    worker = SPAWN.Process(target=die_at_write, args=(store.root, survived, change))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert (store.current("default"), store.previous("default")) == expected
    assert store.rollback("default") == expected[1]


def test_no_change_is_lost_among_publications_rollbacks_and_patterns_at_once(
    store: ModelStore, tmp_path: Path
) -> None:
    assert lost_changes(store, tmp_path, publications=5, rollbacks=5, patterns=10) == []


def test_the_settings_of_a_model_are_kept(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(1)
    assert store.settings("default") == ModelSettings()
    store.change_settings("default", ModelSettings(pattern="[A-Z]{2}"))
    assert store.settings("default").pattern == "[A-Z]{2}"
    publish_some(1)
    assert store.settings("default").pattern == "[A-Z]{2}"


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"pattern": 1})])
def test_damaged_settings_are_named(
    store: ModelStore, publish_some: PublishSome, content: str
) -> None:
    publish_some(1)
    (store.root / "default" / "settings.json").write_text(content)
    with pytest.raises(BundleError, match=r"settings.json of model default is not valid"):
        store.settings("default")
