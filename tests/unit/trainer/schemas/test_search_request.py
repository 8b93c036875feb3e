"""What may be searched for, and what is said of the rest."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.jobs.listed import as_listed
from trainer.api.app import create_app
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings

RATE = {"learning_rate": {"low": 0.0005, "high": 0.005, "log": True}}


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_search_is_kept_as_it_was_asked_for_and_has_no_trials_yet(api: TestClient) -> None:
    choices = {
        "preset": {"choices": ["conv", "crnn"]},
        "standardize": {"choices": [True, False]},
        "channels": {"choices": [1, 3]},
        "width": {"low": 64, "high": 200},
    }
    search = {"parameters": RATE | choices, "trials": 3, "max_minutes": 2.5}
    answer = api.post("/jobs", json={"search": search})
    assert answer.status_code == 202, answer.text
    job = api.get(answer.headers["location"]).json()
    assert job == answer.json()
    assert job["trials"] == []
    asked = JobRequest.model_validate({"search": search})
    assert JobRequest.model_validate(job["request"]) == asked
    assert api.get("/jobs").json()["data"] == [as_listed(job)]


def test_a_job_without_a_search_has_no_trials(api: TestClient) -> None:
    assert api.post("/jobs", json={}).json()["trials"] is None


@pytest.mark.parametrize(
    ("parameters", "body", "field", "message"),
    [
        ({}, {}, "search.parameters", "at least 1 item"),
        ({"momentum": {"low": 0, "high": 1}}, {}, "search.parameters.momentum", "'augmentation'"),
        ({"epochs": {}}, {}, "search.parameters.epochs", "either low and high, or choices"),
        ({"epochs": {"low": 3}}, {}, "search.parameters.epochs", "both low and high"),
        ({"epochs": {"low": 5, "high": 5}}, {}, "search.parameters.epochs", "low must be less"),
        (
            {"augmentation": {"low": 0, "high": 1, "log": True}},
            {},
            "search.parameters.augmentation",
            "low must be above 0 where log is true",
        ),
        (
            {"augmentation": {"low": 0, "high": 9}},
            {},
            "search.parameters.augmentation",
            "cannot be 9; it should be less than or equal to 4 or 'auto'",
        ),
        (
            {"batch_size": {"low": 8, "high": 16.5}},
            {},
            "search.parameters.batch_size",
            "cannot be 16.5; it should be a valid integer",
        ),
        ({"epochs": {"low": "a", "high": 2}}, {}, "search.parameters.epochs.low", "valid integer"),
        ({"width": {"choices": [64, 66]}}, {}, "search.parameters.width", "cannot be 66"),
        (
            {"width": {"low": 64, "high": 128, "log": True}},
            {},
            "search.parameters.width",
            "takes no log",
        ),
        (
            {"preset": {"choices": ["lstm"]}},
            {},
            "search.parameters.preset",
            "'conv', 'conv-large' or 'crnn'",
        ),
        ({"channels": {"low": 1, "high": 3}}, {}, "search.parameters.channels", "takes choices"),
        ({"channels": {"choices": [1, True]}}, {}, "search.parameters.channels", "cannot be True"),
        ({"resize": {"choices": ["pad", 1]}}, {}, "search.parameters.resize", "cannot be 1;"),
        (
            {"epochs": {"choices": [3, 3]}},
            {},
            "search.parameters.epochs",
            "choices must be distinct",
        ),
        (
            RATE,
            {"hyperparameters": {"learning_rate": 0.001}},
            "search.parameters.learning_rate",
            "is given already: 0.001",
        ),
        (
            {"preset": {"choices": ["conv", "crnn"]}},
            {"preset": "crnn"},
            "search.parameters.preset",
            "is given already: crnn",
        ),
        (
            {"height": {"choices": [32, 48]}},
            {"base": 2},
            "search.parameters.height",
            "is decided by the base version",
        ),
    ],
)
def test_what_cannot_be_searched_is_named_with_what_would_be_right(
    api: TestClient, parameters: Any, body: Any, field: str, message: str
) -> None:
    answer = api.post("/jobs", json=body | {"search": {"parameters": parameters}})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"]


@pytest.mark.parametrize("limit", [{"trials": 0}, {"trials": 1001}, {"max_minutes": 0}])
def test_the_limits_of_a_search_have_limits(api: TestClient, limit: dict[str, int]) -> None:
    answer = api.post("/jobs", json={"search": {"parameters": RATE, **limit}})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"search.{next(iter(limit))}"]
