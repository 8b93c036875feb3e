"""The trainer's description of its interface says what the code does."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import settings

from shared.model_store import ModelStore
from tests.bundles import publish
from tests.described import CONFIG, call, make_key
from trainer.app import create_app
from trainer.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainer")


@pytest.fixture(scope="module")
def headers(folder: Path) -> dict[str, str]:
    return make_key(folder)


@pytest.fixture(scope="module")
def app(folder: Path, headers: dict[str, str]) -> FastAPI:
    """An API with a model, and a key."""
    publish(ModelStore(folder / "models"), folder / "build")
    return api(folder)


def api(folder: Path) -> FastAPI:
    keys = folder / "keys.json"
    return create_app(Settings(store=folder / "models", state=folder / "state", keys=keys))


def description() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as empty:
        return api(Path(empty)).openapi()


@schemathesis.openapi.from_dict(description(), config=CONFIG).parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_random_requests_are_answered_as_described(
    case: schemathesis.Case[Any], app: FastAPI, headers: dict[str, str]
) -> None:
    call(case, app, headers)
