"""Graphs that hang, fill or kill a process are tried in one of their own, and not for ever."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from predictor.models import probe as probe_module
from predictor.models import registry as registry_module
from predictor.models import safe_loading, verdicts
from predictor.models.graphs import graph as graph_module
from predictor.models.registry import Registry
from predictor.models.safe_loading import MOST_DEATHS, SafeLoader
from predictor.settings import PredictorSettings
from shared.errors import BundleError
from shared.store.manifest import GOLDEN_PREDICTIONS, ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.hostile.graphs import crashing, endless, endless_on_light, hungry
from tests.support.models.bundles import imported, png, publish

HOSTILE = {
    "hangs": (endless, "was killed by SIGXCPU"),
    "fills the memory": (hungry, "bad_alloc"),
    "crashes": (crashing, "was killed by SIGFPE"),
}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no limit longer than a test should."""
    monkeypatch.setattr(probe_module, "CPU_SECONDS", 4)
    monkeypatch.setattr(registry_module, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(safe_loading, "RETRY_SECONDS", 0.0)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of what is tried in a process of its own."""
    tried: list[Path] = []

    def noted(folder: Path, *args: object, **kwargs: int) -> None:
        tried.append(folder)
        probe_module.probe(folder, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(safe_loading, "probe", noted)
    return tried


def started(store: ModelStore) -> Registry:
    """Return a registry of a predictor that has just started on this machine."""
    cache = store.root.with_name("cache")
    return Registry(PredictorSettings(store=store.root, store_cache=cache, serve_starter=False))


def reason(registry: Registry, model: str = "default") -> str:
    rejection = registry.states()[model].rejection
    return rejection.reason if rejection else ""


def version(registry: Registry, model: str = "default") -> int | None:
    served = registry.served(model)
    return served.engine.manifest.version if served else None


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_graph_is_refused_for_its_reason_and_everything_else_served(
    store: ModelStore, tmp_path: Path, kind: str
) -> None:
    graph, sentence = HOSTILE[kind]
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", model="plates")
    registry = started(store)
    registry.poll()
    publish(store, tmp_path / "3", files={ONNX_MODEL: graph()})
    publish(store, tmp_path / "4", model="plates")
    registry.poll()
    assert sentence in reason(registry)
    assert (version(registry), version(registry, "plates")) == (1, 2)


def test_other_models_are_followed_while_a_graph_hangs(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(store, tmp_path / "1", model="bad", files={ONNX_MODEL: endless()})
    publish(store, tmp_path / "2")
    registry = started(store)
    while version(registry) != 1:
        registry.poll(0.1)
    publish(store, tmp_path / "3")
    while version(registry) != 2:
        registry.poll(0.1)
    registry.poll()
    assert "was killed by SIGXCPU" in reason(registry, "bad")
    assert [r.message for r in caplog.records if "long" in r.message].count(
        "model bad: version 1 takes long to load"
    ) == 1


def test_a_version_that_is_rolled_back_while_it_loads_is_not_served(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    registry = started(store)
    registry.poll()
    publish(store, tmp_path / "2", characters="def")
    registry.poll(0.0)
    store.rollback("default")
    registry.poll(2.0)
    assert version(registry) == 1
    publish(store, tmp_path / "3", characters="def")
    registry.poll()
    assert version(registry) == 3


@pytest.mark.parametrize(("graph", "sentence"), [(crashing, "SIGFPE"), (hungry, "bad_alloc")])
def test_what_killed_processes_is_not_tried_a_third_time_not_even_after_a_restart(
    store: ModelStore,
    tmp_path: Path,
    probes: list[Path],
    graph: Callable[[], bytes],
    sentence: str,
) -> None:
    publish(store, tmp_path / "1", files={ONNX_MODEL: graph()})
    for _ in range(2):
        registry = started(store)
        registry.poll()
        registry.poll()
    assert len(probes) == MOST_DEATHS
    assert sentence in reason(registry)
    assert "happened 2 times: it is not tried again" in reason(registry)
    publish(store, tmp_path / "2")
    registry.poll()
    assert version(registry) == 2


def test_a_version_is_tried_once_on_a_machine_and_again_when_its_content_changes(
    store: ModelStore, tmp_path: Path, probes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", model="same")
    for _ in range(2):
        registry = started(store)
        registry.poll()
        assert version(registry) == version(registry, "same") == 1
    assert len(probes) == 1
    publish(store, tmp_path / "3", characters="def")
    registry.poll()
    assert (version(registry), len(probes)) == (2, 2)
    monkeypatch.setattr("onnxruntime.__version__", "another")
    started(store).poll()
    assert len(probes) == 4


def die_while_loading(root: Path) -> None:
    def killed(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(safe_loading, "load_bundle", killed)  # noqa: B010
    started(ModelStore(root)).poll()


def test_what_killed_two_predictors_is_not_loaded_by_a_third(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    for _ in range(MOST_DEATHS):
        died = get_context("spawn").Process(target=die_while_loading, args=(store.root,))
        died.start()
        died.join()
        assert died.exitcode == -signal.SIGKILL
    registry = started(store)
    registry.poll()
    assert "A predictor process died while it loaded" in reason(registry)
    assert version(registry) is None


def test_one_death_is_forgotten_once_it_loads(store: ModelStore, tmp_path: Path) -> None:
    publish(store, tmp_path / "1")
    for _ in range(MOST_DEATHS):
        died = get_context("spawn").Process(target=die_while_loading, args=(store.root,))
        died.start()
        died.join()
        registry = started(store)
        registry.poll()
        assert version(registry) == 1


def test_a_rejected_version_is_tried_by_one_process_for_all(
    store: ModelStore, tmp_path: Path, probes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_loading, "RETRY_SECONDS", 30.0)
    publish(store, tmp_path / "1", files={ONNX_MODEL: b"no graph"})
    for _ in range(3):
        registry = started(store)
        registry.poll()
        assert "cannot be run" in reason(registry)
    assert len(probes) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 5000, b'{"deaths": -1}'])
def test_a_damaged_note_is_no_note(
    store: ModelStore, tmp_path: Path, content: bytes, probes: list[Path]
) -> None:
    publish(store, tmp_path / "1")
    started(store).poll()
    [note] = (tmp_path / "cache" / "verdicts").iterdir()
    note.write_bytes(content)
    registry = started(store)
    registry.poll()
    assert (version(registry), len(probes)) == (1, 2)


def test_without_a_folder_to_write_to_versions_are_tried_and_served(
    store: ModelStore, tmp_path: Path, probes: list[Path]
) -> None:
    (tmp_path / "cache").touch()
    publish(store, tmp_path / "1")
    registry = started(store)
    registry.poll()
    assert (version(registry), len(probes)) == (1, 1)


def test_only_so_many_notes_are_stored(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "MOST_FILES", 2)
    for number, characters in enumerate(("abc", "def", "ghi", "jkl"), 1):
        publish(store, tmp_path / str(number), characters=characters)
        registry = started(store)
        registry.poll()
        assert version(registry) == number
    assert len(list((tmp_path / "cache" / "verdicts").iterdir())) == 2


def test_a_loop_that_only_some_images_set_off_is_ended(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {ONNX_MODEL: endless_on_light(), GOLDEN_PREDICTIONS: b"[]"}
    publish(store, tmp_path / "1", files=files, change=imported)
    monkeypatch.setattr(graph_module, "RUN_SECONDS", 0.5)
    engine = SafeLoader(None).load(store, "default", 1)
    with pytest.raises(BundleError, match="ran for more than"):
        engine.predict([png("ab")])


def test_a_verdict_is_of_all_that_a_probe_goes_by(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_loading, "RETRY_SECONDS", 1000.0)
    none = {GOLDEN_PREDICTIONS: b"[]"}
    publish(store, tmp_path / "trained", files=none)
    loader = SafeLoader(tmp_path / "verdicts")
    with pytest.raises(BundleError, match="names no image"):
        loader.load(store, "default", 1)
    publish(store, tmp_path / "imported", files=none, change=imported)
    assert loader.load(store, "default", 2).manifest.origin == "imported"
