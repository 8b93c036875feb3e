"""Whatever is wrong with a new version, the old one serves on and the next good one is taken."""

import json
import logging
import os
import re
import shutil
from multiprocessing import get_context
from pathlib import Path

import pytest

from predictor.models import loading
from predictor.models.registry import MAX_REASON, Registry
from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from shared.store.manifest import KERAS_MODEL, FileEntry
from shared.store.records.records import RECORD
from shared.store.store import ModelStore
from tests.support.api.metrics import sample
from tests.support.models.broken_bundles import BREAKAGES, Breakage, serve_broken
from tests.support.models.bundles import imported, png, publish

SPAWN = get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def registry(store: ModelStore, tmp_path: Path) -> Registry:
    """A registry without its thread that serves a good version."""
    publish(store, tmp_path / "good")
    registry = Registry(PredictorSettings(store=store.root, serve_starter=False))
    registry.poll()
    return registry


def answer(registry: Registry) -> tuple[int, str]:
    engine = registry.engine("default")
    assert engine is not None
    return engine.manifest.version, engine.predict([png("cab")])[0].text


def refusals(part: str) -> float:
    page = metrics.exposition()[0].decode()
    name = "readsmith_predictor_rejected_reloads_total"
    return sample(page, name, model="default", reason=part)


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_version_is_refused_for_its_reason_and_the_next_good_one_taken(
    store: ModelStore,
    registry: Registry,
    tmp_path: Path,
    breakage: Breakage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = refusals(breakage.part)
    version = serve_broken(store, tmp_path / "broken", breakage)
    for _ in range(2):
        registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert refusal.version == version
    assert re.search(breakage.sentence, refusal.reason)
    assert len(refusal.reason) <= MAX_REASON
    assert refusals(breakage.part) == before + 1
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"model default: version {version} rejected: {refusal.reason}"
    ]
    assert answer(registry) == (1, "cab")
    publish(store, tmp_path / "better", characters="def")
    registry.poll()
    assert answer(registry)[1] == "fde"


NOT_VALID = "model.json of model default is not valid at "


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"current": 7}', "manifest.json cannot be read|has no version 7"),
        (b"", NOT_VALID + "document"),
        (b'{"current": "../../default/versions/1"}', NOT_VALID + "current"),
        (b"\xff\x00\xfe", NOT_VALID + "document"),
        (b'{"novelty": 1}', NOT_VALID + "novelty"),
        (b"1" * 10_000_001, "more than 10,000,000 bytes"),
    ],
    ids=["no such version", "empty", "a path", "garbage", "an unknown field", "huge"],
)
def test_a_record_that_leads_nowhere_is_refused(
    store: ModelStore, registry: Registry, content: bytes, sentence: str
) -> None:
    record = store.root / "default" / RECORD
    good = record.read_bytes()
    record.write_bytes(content)
    registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert re.search(sentence, refusal.reason)
    assert answer(registry) == (1, "cab")
    record.write_bytes(good)
    registry.poll()
    assert registry.states()["default"].rejection is None


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_record_that_is_no_file_is_refused(
    store: ModelStore, registry: Registry, kind: str
) -> None:
    record = store.root / "default" / RECORD
    record.unlink()
    record.mkdir() if kind == "folder" else os.mkfifo(record)
    registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert "model.json of model default cannot be read" in refusal.reason
    assert answer(registry) == (1, "cab")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"pattern": "[0-9]+"}, "own limits are impossible"),
        ({"allowed": ["17"]}, "own limits are impossible"),
        ({"allowed": ["a" * 201]}, NOT_VALID + "settings.allowed"),
        ({"pattern": 1}, NOT_VALID + "settings.pattern"),
        ({"novelty": 1}, NOT_VALID + "settings.novelty"),
    ],
)
def test_settings_that_cannot_be_followed_change_nothing(
    store: ModelStore, registry: Registry, settings: dict[str, object], sentence: str
) -> None:
    before = refusals("settings")
    record = store.root / "default" / RECORD
    record.write_text(json.dumps(json.loads(record.read_bytes()) | {"settings": settings}))
    registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert re.search(sentence, refusal.reason)
    assert refusals("settings") == before + 1
    assert answer(registry) == (1, "cab")
    assert registry.settings("default").pattern is None


@pytest.mark.parametrize("step", ["verify_bundle", "_golden_predictions"])
def test_a_version_that_vanishes_while_it_is_read_is_refused(
    store: ModelStore,
    registry: Registry,
    tmp_path: Path,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    does = getattr(loading, step)

    def vanish_afterwards(folder: Path, wanted: object) -> object:
        result = does(folder, wanted)
        shutil.rmtree(folder)
        return result

    version = publish(store, tmp_path / "vanishing").version
    with monkeypatch.context() as patched:
        patched.setattr(loading, step, vanish_afterwards)
        registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert (refusal.version, refusal.reason[-43:]) == (
        version,
        " cannot be read: No such file or directory.",
    )
    assert answer(registry) == (1, "cab")
    publish(store, tmp_path / "better", characters="def")
    registry.poll()
    assert answer(registry)[1] == "fde"


def test_a_file_that_is_changed_between_the_check_and_the_load_is_refused(
    store: ModelStore, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overlooked(folder: Path, files: dict[str, FileEntry]) -> None:
        graph = folder / "prediction_model.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"!")

    publish(store, tmp_path / "changing")
    monkeypatch.setattr(loading, "verify_bundle", overlooked)
    registry.poll()
    refusal = registry.states()["default"].rejection
    assert refusal is not None
    assert "SHA-256" in refusal.reason
    assert answer(registry) == (1, "cab")


def look_as_nobody(root: Path, cache: Path) -> None:
    """See what a process without rights sees of the store."""
    os.setgid(65534)
    os.setuid(65534)
    registry = Registry(PredictorSettings(store=root, store_cache=cache, serve_starter=False))
    registry.poll()
    states = registry.states()
    told = states["default"].rejection
    assert told is not None
    assert told.reason == "manifest.json cannot be read: Permission denied."
    assert states["plates"].served is not None
    closed = states["closed"].rejection
    assert closed is not None
    assert closed.reason == "model.json of model closed cannot be read: Permission denied."


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without rights")
def test_what_may_not_be_looked_at_is_refused_and_hides_nothing_else(
    store: ModelStore, tmp_path: Path
) -> None:
    for model in ("default", "plates", "closed"):
        publish(store, tmp_path / model, model=model)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    # It may not start a Python that belongs to root: its versions have been tried already.
    cache = tmp_path / "cache"
    Registry(PredictorSettings(store=store.root, store_cache=cache, serve_starter=False)).poll()
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o777)
    store.folder("default", 1).chmod(0o700)
    (store.root / "closed").chmod(0o700)
    visitor = SPAWN.Process(target=look_as_nobody, args=(store.root, cache))
    visitor.start()
    visitor.join()
    assert visitor.exitcode == 0


def test_an_imported_h5_is_served_without_golden_images(
    store: ModelStore, registry: Registry, tmp_path: Path
) -> None:
    publish(
        store,
        tmp_path / "imported",
        files={"golden/predictions.json": b"[]"},
        change=imported,
    )
    registry.poll()
    assert answer(registry) == (2, "cab")


def test_what_is_refused_is_not_promoted_either(store: ModelStore, tmp_path: Path) -> None:
    publish(store, tmp_path / "good")
    other = publish(store, tmp_path / "other", promote=False).version
    (store.folder("default", other) / KERAS_MODEL).with_name("x").touch()
    with pytest.raises(Exception, match="x is there, but not listed"):
        store.promote("default", other)
    assert store.current("default") == 1
