"""The trainer's description of its interface says what the code does."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import settings

from tests.support.api.openapi import (
    CONFIG,
    call,
    make_key,
    trainer_description,
    trainer_with_a_model,
    unbounded_in_bodies,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainer")


@pytest.fixture(scope="module")
def key(folder: Path) -> dict[str, str]:
    return make_key(folder)


@pytest.fixture(scope="module")
def app(folder: Path, key: dict[str, str]) -> FastAPI:
    return trainer_with_a_model(folder)


def test_every_text_of_a_request_has_a_maximum_length() -> None:
    assert unbounded_in_bodies(trainer_description()) == []


@schemathesis.openapi.from_dict(trainer_description(), config=CONFIG).parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_random_requests_are_answered_as_described(
    case: schemathesis.Case[Any], app: FastAPI, key: dict[str, str]
) -> None:
    call(case, app, key)
