"""A real predictor whose folder of models is deleted or unmounted under it."""

from pathlib import Path
from typing import Any

import requests

from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from tests.support.services.predictor import TIMEOUT, Predictor, eventually, serving


def test_it_serves_on_from_memory_and_says_that_it_is_degraded(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    publish(store, tmp_path / "1")
    elsewhere = tmp_path / "elsewhere"
    with serving(store, tmp_path, READSMITH_PREDICTOR_WORKERS="1") as predictor:
        assert ready(predictor)["degraded"] is False
        for unmounted in (False, True):
            store.root.rename(elsewhere)
            if unmounted:
                store.root.mkdir()
            eventually(lambda: ready(predictor)["degraded"])
            state = ready(predictor)
            assert "not mounted any more" in state["storage_unreachable"]["reason"]
            assert (state["ready"], state["models"]["default"]["version"]) == (True, 1)
            assert predictor.ask("abc").json()["text"] == "abc"
            if unmounted:
                store.root.rmdir()
            elsewhere.rename(store.root)
            eventually(lambda: not ready(predictor)["degraded"])
            assert ready(predictor)["storage_unreachable"] is None
        publish(store, tmp_path / "2", characters="xyz")
        eventually(lambda: ready(predictor)["models"]["default"]["version"] == 2)


def ready(predictor: Predictor) -> dict[str, Any]:
    """Return what /readyz answers, which must be 200."""
    answer = requests.get(f"{predictor.url}/readyz", timeout=TIMEOUT)
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state
