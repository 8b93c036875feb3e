"""Promote, roll back and keep: which versions a model store serves, and which it removes."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from shared import atomic_files
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
    assert error.hint == "Retained: 1, 2."
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


def record_file(store: ModelStore) -> Path:
    return store.root / "default" / "model.json"


def edit_record(store: ModelStore, **fields: object) -> None:
    record_file(store).write_text(json.dumps(json.loads(record_file(store).read_bytes()) | fields))


@pytest.mark.parametrize("content", ["", "{}}", "[]", '{"current": "2"}', '{"before": [], "x": 1}'])
def test_a_record_that_cannot_be_read_is_named_and_the_next_publication_is_served(
    store: ModelStore, publish_some: PublishSome, tmp_path: Path, content: str
) -> None:
    publish_some(2)
    record_file(store).write_text(content)
    with pytest.raises(BundleError, match=r"model\.json of model default is not valid"):
        store.current("default")
    assert store.models() == ["default"]
    assert publish(store, tmp_path / "next", job_id="job").version == 3
    assert store.versions("default") == [1, 2, 3]
    assert (store.current("default"), store.previous("default")) == (3, None)
    assert (store.root / "default" / "model.json.damaged").read_text() == content


def test_a_record_changed_by_hand_counts(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(3)
    edit_record(store, current=1)
    assert store.rollback("default") == 2


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


def test_the_publication_that_mends_a_record_removes_nothing(
    store: ModelStore, publish_some: PublishSome, tmp_path: Path
) -> None:
    publish_some(5)
    record_file(store).write_text("?")
    publish(store, tmp_path / "build", promote=False, job_id="job")
    assert store.versions("default") == [1, 2, 3, 4, 5, 6]


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


def die_at(root: Path, point: str, change: str) -> None:
    """Change the model's current version and be killed before or after its record is replaced."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if point == "replace":
        Path.replace = die  # type: ignore[assignment, method-assign]
    else:
        atomic_files.flush_folder = die  # type: ignore[assignment]
    store = ModelStore(root)
    if change == "promote":
        store.promote("default", 1)
    else:
        store.rollback("default")


@pytest.mark.parametrize(
    ("change", "point", "expected"),
    [
        ("promote", "replace", (3, 2)),
        ("promote", "flush_folder", (1, 3)),
        ("rollback", "replace", (3, 2)),
        ("rollback", "flush_folder", (2, 1)),
    ],
)
def test_a_change_that_is_killed_is_done_or_not_done(
    store: ModelStore,
    publish_some: PublishSome,
    change: str,
    point: str,
    expected: tuple[int, int],
) -> None:
    publish_some(3)
    worker = SPAWN.Process(target=die_at, args=(store.root, point, change))
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


def test_damaged_settings_are_named(store: ModelStore, publish_some: PublishSome) -> None:
    publish_some(1)
    edit_record(store, settings={"pattern": 1})
    with pytest.raises(BundleError, match=r"not valid at settings\.pattern") as raised:
        store.settings("default")
    assert raised.value.part == "settings"
