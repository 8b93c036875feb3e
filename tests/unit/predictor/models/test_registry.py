import os
import shutil
from pathlib import Path

import pytest

from predictor.models import loading
from predictor.models import registry as registry_module
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.errors import BundleError, NotFoundError
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish, serve_as_it_is


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def registry(store: ModelStore) -> Registry:
    """A registry without its thread: tests look for new versions themselves."""
    return Registry(PredictorSettings(store=store.root, serve_starter=False))


def reads(registry: Registry, image: bytes, model: str = "default") -> tuple[int, str]:
    served = registry.served(model)
    assert served is not None
    return served.engine.manifest.version, served.engine.predict([image])[0].text


def reason(registry: Registry, model: str = "default") -> str | None:
    refusal = registry.states()[model].rejection
    return refusal.reason if refusal else None


def test_an_empty_store_serves_nothing_and_complains_about_nothing(registry: Registry) -> None:
    registry.poll()
    assert registry.served("default") is None
    assert reason(registry) is None


def test_each_model_is_served_in_its_current_version(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", model="plates", characters="XYZ")
    registry.poll()
    assert reads(registry, png("ab")) == (1, "ab")
    assert reads(registry, png("ab"), "plates") == (1, "XY")
    publish(store, tmp_path / "3", characters="def")
    registry.poll()
    assert reads(registry, png("ab")) == (2, "de")
    assert list(registry.states()) == ["default", "plates"]


def test_a_deleted_model_answers_no_more_until_it_is_restored(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", model="plates")
    publish(store, tmp_path / "2", model="meters")
    registry.poll()
    store.delete("plates", force=True)
    registry.poll()
    assert registry.served("plates") is None
    assert registry.answering(None) == "meters"
    store.restore("plates")
    registry.poll()
    assert reads(registry, png("ab"), "plates") == (1, "ab")


def test_setting_current_back_serves_the_earlier_version(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", characters="def")
    registry.poll()
    serve_as_it_is(store, 1)
    registry.poll()
    assert reads(registry, png("ab")) == (1, "ab")


def test_a_store_that_was_begun_anew_is_noticed_though_the_number_is_the_same(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    registry.poll()
    shutil.rmtree(store.root)
    registry.poll()
    assert reads(registry, png("ab")) == (1, "ab")
    publish(store, tmp_path / "2", characters="def")
    registry.poll()
    assert reads(registry, png("ab")) == (1, "de")


def test_a_copy_under_another_number_is_refused_since_answers_name_the_version(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "good")
    shutil.copytree(store.folder("default", 1), store.folder("default", 2))
    serve_as_it_is(store, 2)
    registry.poll()
    assert "is of default/1, not of default/2" in (reason(registry) or "")


def test_one_broken_model_does_not_touch_the_others(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", files={ONNX_MODEL: b"no graph"})
    publish(store, tmp_path / "2", model="plates")
    registry.poll()
    assert registry.served("default") is None
    assert reads(registry, png("ab"), "plates") == (1, "ab")


def test_a_refusal_is_logged_and_counted_once_and_the_version_tried_again_when_repaired(
    store: ModelStore,
    registry: Registry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = publish(store, tmp_path / "1").version
    graph = store.folder("default", version) / ONNX_MODEL
    good = graph.read_bytes()
    graph.write_bytes(good[:-1])
    for _ in range(3):
        registry.poll()
    monkeypatch.setattr(registry_module, "RETRY_SECONDS", 0.0)
    serve_as_it_is(store, 1)
    registry.poll()
    registry.poll()
    assert registry.states()["default"].rejections == 1
    assert sum("rejected" in record.message for record in caplog.records) == 1
    graph.write_bytes(good)
    registry.poll()
    assert reads(registry, png("ab")) == (1, "ab")


def test_a_refused_version_is_not_loaded_again_at_every_look(
    store: ModelStore, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "1")
    attempts: list[int] = []

    def verify(folder: Path, files: object) -> None:
        attempts.append(1)
        raise BundleError("broken for good.", "files")

    monkeypatch.setattr(loading, "verify_bundle", verify)
    for _ in range(3):
        registry.poll()
    assert len(attempts) == 1
    manifest = store.folder("default", 1) / "manifest.json"
    os.utime(manifest, (1, 1))
    registry.poll()
    assert len(attempts) == 2


def version_read(registry: Registry, version: int) -> str:
    engine = registry.engine("default", version)
    assert engine is not None
    assert engine.manifest.version == version
    return engine.predict([png("ab")])[0].text


def test_any_kept_version_reads_when_it_is_named(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    for number, characters in enumerate(("abc", "def", "ghi", "jkl"), 1):
        publish(store, tmp_path / str(number), characters=characters)
    registry.poll()
    assert [version_read(registry, number) for number in (1, 2, 3, 4, 1)] == [
        "ab", "de", "gh", "jk", "ab",
    ]  # fmt: skip
    assert reads(registry, png("ab")) == (4, "jk")
    assert registry.engine("default", 4) is registry.engine("default")


def test_the_least_lately_used_of_the_named_versions_is_dropped(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    for number in range(1, 5):
        publish(store, tmp_path / str(number))
    registry.poll()
    first, second = registry.engine("default", 1), registry.engine("default", 2)
    assert registry.engine("default", 1) is first
    registry.engine("default", 3)
    assert registry.engine("default", 1) is first
    assert registry.engine("default", 2) is not second


def test_a_named_version_that_is_broken_or_gone_does_not_read(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    for number in range(1, 4):
        publish(store, tmp_path / str(number))
    registry.poll()
    registry.engine("default", 1)
    shutil.rmtree(store.folder("default", 1))
    with pytest.raises(NotFoundError, match="no version 1") as caught:
        registry.engine("default", 1)
    assert (caught.value.code, caught.value.hint) == ("version_not_found", "Retained: 2, 3.")
    graph = store.folder("default", 2) / ONNX_MODEL
    graph.write_bytes(graph.read_bytes() + b"x")
    with pytest.raises(BundleError, match="bytes"):
        registry.engine("default", 2)
    assert reads(registry, png("ab")) == (3, "ab")


def test_a_version_of_a_model_that_is_not_there_is_no_way_out_of_the_store(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(ModelStore(tmp_path / "elsewhere"), tmp_path / "2")
    registry.poll()
    assert registry.engine("../elsewhere/default", 1) is None
    assert registry.engine("plates", 1) is None
