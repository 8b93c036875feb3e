"""Everything that can be wrong with a new version, one after the other, under constant requests."""

from pathlib import Path

import pytest

from shared.store.store import ModelStore
from tests.support.models.broken_bundles import BREAKAGES
from tests.support.models.bundles import publish
from tests.support.services.predictor import (
    Predictor,
    break_while_serving,
    clients_of,
    eventually,
    serving,
)

RECORDS = [
    b'{"current": 999}',
    b"",
    b'{"current": "two"}',
    b"../../elsewhere",
    b"\xff\x00",
    b"1" * 10_000_001,
]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_no_broken_version_is_served_and_no_request_fails(
    store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "first")
    with serving(store, tmp_path) as predictor:
        eventually(lambda: predictor.all_serve(1))
        with clients_of(predictor.url) as clients:
            for breakage in BREAKAGES.values():
                break_while_serving(predictor, store, tmp_path, breakage)
            for content in RECORDS:
                lead_nowhere(predictor, store, tmp_path, content)
    failures = [failure for client in clients for failure in client.failures]
    answered = sum(client.answered for client in clients)
    kinds = len(BREAKAGES) + len(RECORDS)
    print(f"{kinds} of {kinds} kinds of broken versions refused; ", end="")
    print(f"{answered:,} requests meanwhile, {len(failures)} failed")
    assert failures == []
    assert {text for client in clients for _, text in client.seen} == {"cab"}


def lead_nowhere(predictor: Predictor, store: ModelStore, folder: Path, content: bytes) -> None:
    """Damage the record, then publish a good version, and expect what is promised of both."""
    [served] = {state["version"] for state in predictor.workers().values()}
    (store.root / "default" / "model.json").write_bytes(content)
    eventually(lambda: all(state["rejection"] for state in predictor.workers().values()))
    assert predictor.all_serve(served)
    good = publish(store, folder / "good").version
    eventually(lambda: predictor.all_serve(good))
