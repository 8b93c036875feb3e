"""Many random requests made from both descriptions, all checks on."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from flask import Flask
from hypothesis import settings

from predictor.api.openapi.document import description
from tests.support.api.openapi import (
    CONFIG,
    call,
    make_key,
    predictor_with_a_model,
    trainer_description,
    trainer_with_a_model,
)

MANY = settings(max_examples=300, deadline=None, database=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("described")


@pytest.fixture(scope="module")
def key(folder: Path) -> dict[str, str]:
    return make_key(folder)


@pytest.fixture(scope="module")
def trainer(folder: Path, key: dict[str, str]) -> FastAPI:
    return trainer_with_a_model(folder)


@pytest.fixture(scope="module")
def predictor(folder: Path, key: dict[str, str]) -> Flask:
    return predictor_with_a_model(folder)


@schemathesis.openapi.from_dict(trainer_description(), config=CONFIG).parametrize()
@MANY
def test_the_trainer_answers_as_described(
    case: schemathesis.Case[Any], trainer: FastAPI, key: dict[str, str]
) -> None:
    call(case, trainer, key)


@schemathesis.openapi.from_dict(description(), config=CONFIG).parametrize()
@MANY
def test_the_predictor_answers_as_described(
    case: schemathesis.Case[Any], predictor: Flask, key: dict[str, str]
) -> None:
    call(case, predictor, key)
