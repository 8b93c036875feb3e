"""Versions and models that are deleted, restored, and forgotten after a week."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from shared.store import store as store_module
from shared.store.settings import StoreSettings
from shared.store.store import DELETED_DAYS, ModelStore
from tests.support.models.bundles import publish
from tests.support.services.object_storage import BUCKET, Proxy


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    """Three versions of the model `plates`, the last of them served."""
    if request.param == "folder":
        store = ModelStore(tmp_path / "models")
    else:
        storage: Proxy = request.getfixturevalue("storage")
        assert storage
        settings = StoreSettings(store=f"s3://{BUCKET}/models", store_cache=tmp_path / "cache")
        store = settings.model_store()
    for _ in range(3):
        publish(store, tmp_path / "build", model="plates")
    return store


def refused(code: str, change: Callable[[], object]) -> ReadsmithError:
    with pytest.raises(ReadsmithError) as caught:
        change()
    assert caught.value.code == code
    return caught.value


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            moment = datetime.now(UTC) + timedelta(days=days)
            return cls.fromtimestamp(moment.timestamp(), UTC)

    monkeypatch.setattr(store_module, "datetime", Later)


def test_a_deleted_version_is_not_there_until_it_is_restored(store: ModelStore) -> None:
    store.delete("plates", 2)
    assert (store.versions("plates"), list(store.deleted("plates"))) == ([1, 3], [2])
    assert store.current("plates") == 3
    refused("version_not_found", lambda: store.promote("plates", 2))
    assert store.restore("plates", 2) == [2]
    assert (store.versions("plates"), store.deleted("plates")) == ([1, 2, 3], {})
    store.promote("plates", 2)  # with all its files


def test_what_is_served_is_deleted_only_if_that_is_forced(store: ModelStore) -> None:
    error = refused("version_served", lambda: store.delete("plates", 3))
    assert "--yes" in error.hint
    refused("version_served", lambda: store.delete("plates"))
    assert store.versions("plates") == [1, 2, 3]
    store.delete("plates", 3, force=True)
    assert (store.current("plates"), store.previous("plates")) == (2, 1)
    store.restore("plates")
    assert (store.versions("plates"), store.current("plates")) == ([1, 2, 3], 2)


def test_a_deleted_model_comes_back_as_it_was_served(store: ModelStore, tmp_path: Path) -> None:
    store.promote("plates", 1)
    store.delete("plates", force=True)
    assert (store.models(), store.models_with_deleted()) == ([], ["plates"])
    refused("model_not_found", lambda: store.delete("plates"))
    assert store.restore("plates") == [1, 2, 3]
    assert (store.models(), store.current("plates")) == (["plates"], 1)
    store.delete("plates", force=True)
    assert publish(store, tmp_path / "build", model="plates").version == 4
    assert (store.versions("plates"), list(store.deleted("plates"))) == ([4], [1, 2, 3])


def test_what_was_never_deleted_cannot_be_restored(store: ModelStore) -> None:
    store.delete("plates", 1)
    for model, version in (("plates", 3), ("plates", 9), ("meters", None)):
        refused("version_not_found", lambda m=model, v=version: store.restore(m, v))  # type: ignore[misc]
    assert (store.versions("plates"), list(store.deleted("plates"))) == ([2, 3], [1])
    assert store.models_with_deleted() == ["plates"]


def test_after_a_week_the_next_change_removes_the_files(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files(version: int) -> set[str]:
        return store._objects.keys(f"plates/versions/{version}")

    store.delete("plates", 1)
    later(monkeypatch, DELETED_DAYS - 0.01)
    assert list(store.deleted("plates")) == [1]
    store.delete("plates", 2)
    assert files(1) and files(2)
    later(monkeypatch, DELETED_DAYS + 0.01)
    assert store.deleted("plates").keys() == {2}
    refused("version_not_found", lambda: store.restore("plates", 1))
    store.delete("plates", 3, force=True)
    assert not files(1)
    assert files(2) and files(3)
