"""The predictor with its models on a real S3-compatible server, which fails."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from predictor.models import object_storage as followed_models
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.store.manifest import ONNX_MODEL
from shared.store.objects.bucket import Bucket
from shared.store.records.record import ModelSettings
from shared.store.settings import StoreSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from tests.support.services.object_storage import BUCKET, Proxy
from tests.support.services.predictor import ask, eventually, serving

ADDRESS = f"s3://{BUCKET}/models"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed_models, "LIST_SECONDS", 0.0)
    monkeypatch.setattr(followed_models, "AWAY_SECONDS", 0.0)


@pytest.fixture
def store(storage: Proxy, tmp_path: Path) -> ModelStore:
    """The trainer's view."""
    return StoreSettings(store=ADDRESS, store_cache=tmp_path / "trainer").model_store()


def registry(tmp_path: Path) -> Registry:
    """A registry without its thread: tests look for new versions themselves."""
    return Registry(PredictorSettings(store=ADDRESS, store_cache=tmp_path / "cache"))


def reads(registry: Registry, model: str = "default") -> tuple[int, str]:
    engine = registry.engine(model)
    assert engine is not None
    return engine.manifest.version, engine.predict([png("ab")])[0].text


def test_new_versions_models_and_settings_are_taken_up(store: ModelStore, tmp_path: Path) -> None:
    publish(store, tmp_path / "1")
    looking = registry(tmp_path)
    looking.poll()
    assert reads(looking) == (1, "ab")
    publish(store, tmp_path / "2", characters="def")
    publish(store, tmp_path / "3", model="plates", characters="XYZ")
    store.change_settings("default", ModelSettings(pattern="[a-f]+"))
    looking.poll()
    assert (reads(looking), reads(looking, "plates")) == ((2, "de"), (1, "XY"))
    assert looking.settings("default").pattern == "[a-f]+"
    first = looking.engine("default", 1)
    assert first is not None and first.predict([png("ab")])[0].text == "ab"
    store.rollback("default")
    looking.poll()
    assert reads(looking) == (1, "ab")
    assert looking.states()["default"].rejections == 0


def test_the_default_model_is_followed_and_known_while_the_storage_is_away(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", model="plates", characters="XYZ")
    looking = registry(tmp_path)
    looking.poll()
    assert looking.answering(None) == "default"
    store.set_default("plates")
    looking.poll()
    assert looking.answering(None) == "plates"
    storage.fail("gone")
    looking.poll()
    started = registry(tmp_path)
    started.poll()
    assert looking.answering(None) == started.answering(None) == "plates"


def test_a_deleted_model_answers_no_more_until_it_is_restored(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1", model="plates")
    looking = registry(tmp_path)
    looking.poll()
    store.delete("plates", force=True)
    looking.poll()
    assert looking.served("plates") is None
    started = registry(tmp_path)
    started.poll()
    assert started.served("plates") is None
    store.restore("plates")
    for each in (looking, started):
        each.poll()
        assert reads(each, "plates") == (1, "ab")


def test_while_the_storage_is_away_everything_goes_on_and_says_so(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", characters="def")
    looking = registry(tmp_path)
    looking.poll()
    assert looking.away is None
    assert looking.engine("default", 1) is not None
    storage.fail("gone")
    looking.poll()
    assert looking.away is not None
    assert "cannot be reached" in looking.away.reason
    assert reads(looking) == (2, "de")
    assert looking.states()["default"].rejection is None

    started = registry(tmp_path)
    started.poll()
    assert reads(started) == (2, "de")
    first = started.engine("default", 1)
    assert first is not None and first.predict([png("ab")])[0].text == "ab"
    assert started.away is not None

    storage.work()
    publish(store, tmp_path / "3", characters="ghi")
    for each in (looking, started):
        each.poll()
        assert each.away is None
        assert reads(each) == (3, "gh")


def test_a_start_without_storage_and_copies_reads_with_nothing_and_says_why(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    storage.fail("503")
    looking = registry(tmp_path)
    looking.poll()
    assert looking.answering(None) == "default"  # the starter stands in for no model of one's own
    assert looking.engine("default") is None
    rejection = looking.states()["default"].rejection
    assert rejection is not None and "503" in rejection.reason
    storage.work()
    looking.poll()
    assert reads(looking) == (1, "ab")


def test_a_version_that_is_broken_in_the_storage_is_refused_until_it_is_mended(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, tmp_path / "1")
    looking = registry(tmp_path)
    looking.poll()
    publish(store, tmp_path / "2", characters="def")
    bucket, key = Bucket(ADDRESS), f"default/versions/2/{ONNX_MODEL}"
    content = bucket.get(key)
    assert content is not None
    bucket.write(key, content.data[:-1] + b"x")
    looking.poll()
    assert reads(looking) == (1, "ab")
    rejection = looking.states()["default"].rejection
    assert rejection is not None and "SHA-256" in rejection.reason
    bucket.write(key, content.data)
    monkeypatch.setattr("predictor.models.registry.time.monotonic", lambda: time.time() * 2)
    looking.poll()
    assert reads(looking) == (2, "de")


def test_a_bit_flipped_in_the_copies_is_noticed_at_the_next_start(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    registry(tmp_path).poll()
    (graph,) = (tmp_path / "cache").rglob(ONNX_MODEL)
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    storage.fail("gone")
    looking = registry(tmp_path)
    looking.poll()
    assert looking.engine("default") is None
    storage.work()
    looking.poll()
    assert reads(looking) == (1, "ab")


def test_a_storage_that_says_nothing_holds_no_request_up(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    publish(store, tmp_path / "2", characters="def")
    looking = registry(tmp_path)
    looking.poll()
    assert looking.engine("default", 1) is not None
    storage.fail("silent")
    threading.Thread(target=looking.poll, daemon=True).start()
    time.sleep(0.2)
    begun = time.monotonic()
    assert reads(looking) == (2, "de")
    assert looking.engine("default", 1) is not None
    assert time.monotonic() - begun < 5  # the storage is waited for much longer


def test_no_request_fails_whatever_the_storage_does(
    store: ModelStore, storage: Proxy, tmp_path: Path
) -> None:
    publish(store, tmp_path / "1")
    settings = {"READSMITH_STORE": ADDRESS, "READSMITH_STORE_CACHE": str(tmp_path / "cache")}
    with serving(ModelStore(tmp_path / "unused"), tmp_path, **settings) as predictor:
        eventually(lambda: predictor.all_serve(1))
        with asking(predictor.url) as answers:
            for fault in ("cut", "503", "gone"):  # an answer too short to be cut off comes through
                storage.fail(fault)
                time.sleep(0.5)
            eventually(lambda: ready(predictor.url)["storage_unreachable"] is not None)
            assert "readsmith_predictor_storage_reachable" in predictor.metrics()
            storage.work()
            publish(store, tmp_path / "2", characters="abc")
            eventually(lambda: predictor.all_serve(2))
    assert set(answers) == {(200, "abc")}
    storage.fail("gone")
    with serving(ModelStore(tmp_path / "unused"), tmp_path, **settings) as predictor:
        assert predictor.all_serve(2)
        assert ask(predictor.url, "cab").json()["text"] == "cab"
        assert ready(predictor.url)["storage_unreachable"]["reason"]


def ready(url: str) -> dict[str, dict[str, str]]:
    body: dict[str, dict[str, str]] = requests.get(f"{url}/readyz", timeout=60).json()
    return body


@contextmanager
def asking(url: str) -> Iterator[list[tuple[int, str]]]:
    """Ask all the time; what was answered."""
    answers: list[tuple[int, str]] = []
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            answer = ask(url, "abc")
            answers.append((answer.status_code, answer.json().get("text", answer.text)))
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(go_on)
        try:
            yield answers
        finally:
            over.set()
        running.result()
