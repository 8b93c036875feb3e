"""A graph that hangs or crashes harms no running predictor: the long form is in tests/attack."""

from pathlib import Path

import requests

from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.hostile.graphs import crashing, endless
from tests.support.models.bundles import publish
from tests.support.services.predictor import TIMEOUT, Predictor, clients_of, eventually, serving


def rejection(predictor: Predictor, model: str) -> str:
    state = requests.get(f"{predictor.url}/readyz", timeout=TIMEOUT).json()["models"].get(model)
    return state["rejection"]["reason"] if state and state["rejection"] else ""


def test_a_predictor_serves_on_follows_other_models_and_starts_again(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    cache = {"READSMITH_STORE_CACHE": str(tmp_path / "cache")}
    publish(store, tmp_path / "1")
    with serving(store, tmp_path, **cache) as predictor:
        eventually(lambda: predictor.all_serve(1))
        with clients_of(predictor.url) as clients:
            publish(store, tmp_path / "2", model="crashing", files={ONNX_MODEL: crashing()})
            publish(store, tmp_path / "3", model="endless", files={ONNX_MODEL: endless()})
            publish(store, tmp_path / "4")
            eventually(lambda: predictor.all_serve(2))
            eventually(lambda: "SIGFPE" in rejection(predictor, "crashing"))
    assert [failure for client in clients for failure in client.failures] == []
    assert "model crashing: version 1 rejected: " in predictor.log.read_text()
    with serving(store, tmp_path, **cache) as predictor:
        assert predictor.all_serve(2)
