"""Choosing over HTTP which version of a model is served."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shared.store.manifest import ONNX_MODEL
from shared.store.records.records import DEFAULT
from shared.store.store import ModelStore
from tests.support.api.problems import fields, problem
from tests.support.models.bundles import publish
from trainer.api.app import create_app
from trainer.settings import Settings


@pytest.fixture
def published(settings: Settings, tmp_path: Path) -> ModelStore:
    """Three versions of the model `default`, the last of them current."""
    store = ModelStore(settings.store)
    for _ in range(3):
        publish(store, tmp_path / "build")
    return store


@pytest.fixture
def api(settings: Settings, published: ModelStore) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_a_promoted_version_is_served_and_shown_with_the_one_before(
    api: TestClient, published: ModelStore
) -> None:
    answer = api.post("/models/default/promote", json={"version": 1})
    assert answer.status_code == 200
    assert (answer.json()["current"], answer.json()["previous"]) == (1, 3)
    assert published.current("default") == 1
    assert api.get("/models/default").json() == answer.json()


def test_rollback_goes_back_until_there_is_nothing_before(api: TestClient) -> None:
    answers = [api.post("/models/default/rollback") for _ in range(2)]
    assert [answer.json()["current"] for answer in answers] == [2, 1]
    document = problem(api.post("/models/default/rollback"), 409, "no_earlier_version")
    assert "1, 2, 3" in document["hint"]


def test_a_version_that_is_not_kept_is_refused_with_those_that_are(api: TestClient) -> None:
    answer = api.post("/models/default/promote", json={"version": 9})
    assert "1, 2, 3" in problem(answer, 404, "version_not_found")["hint"]


def test_a_model_that_is_not_there_cannot_be_changed(
    api: TestClient, published: ModelStore
) -> None:
    problem(api.post("/models/none/promote", json={"version": 1}), 404, "model_not_found")
    problem(api.post("/models/none/rollback"), 404, "model_not_found")
    assert published.models() == ["default"]


def test_a_damaged_version_is_not_promoted(api: TestClient, published: ModelStore) -> None:
    (published.folder("default", 1) / ONNX_MODEL).write_bytes(b"")
    answer = api.post("/models/default/promote", json={"version": 1})
    assert ONNX_MODEL in problem(answer, 409, "bundle_invalid")["detail"]
    assert published.current("default") == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "version"),
        ({"version": "1"}, "version"),
        ({"version": 0}, "version"),
        ({"version": True}, "version"),
        ({"version": 1, "force": True}, "force"),
        ([1], "body"),
    ],
)
def test_a_wrong_promotion_names_the_field(api: TestClient, body: object, field: str) -> None:
    answer = api.post("/models/default/promote", json=body)
    assert field in fields(problem(answer, 422, "request_invalid"))


def test_an_accepted_pattern_is_shown_until_it_is_dropped(api: TestClient) -> None:
    answer = api.post("/models/default/pattern", json={"pattern": "[abc]{2}"})
    assert answer.status_code == 200
    assert api.get("/models/default").json()["pattern"] == "[abc]{2}"
    assert api.post("/models/default/pattern", json={"pattern": None}).json()["pattern"] is None


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("[ab", "pattern_invalid"),
        ("[0-9]{2}", "no_text_fits"),
        ("\ud800|a", "request_invalid"),
        ("a" * 501, "text_too_long"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(api: TestClient, pattern: str, code: str) -> None:
    body = json.dumps({"pattern": pattern})
    headers = {"Content-Type": "application/json"}
    problem(api.post("/models/default/pattern", content=body, headers=headers), 422, code)
    assert api.get("/models/default").json()["pattern"] is None


def test_an_accepted_list_of_texts_is_shown_until_it_is_dropped(api: TestClient) -> None:
    accepted = api.post("/models/default/allowed", json={"texts": ["ab", "ca"], "threshold": 0.3})
    assert (accepted.json()["allowed_texts"], accepted.json()["allowed_threshold"]) == (2, 0.3)
    found = api.get("/models/default/allowed").json()
    assert found == {"texts": ["ab", "ca"], "check_digit": None, "threshold": 0.3}
    api.post("/models/default/pattern", json={"pattern": "[abc]{2}"})
    assert api.get("/models/default/allowed").json() == found
    dropped = api.post("/models/default/allowed", json={"texts": None}).json()
    assert (dropped["allowed_texts"], dropped["allowed_threshold"]) == (None, None)
    assert dropped["pattern"] == "[abc]{2}"
    assert api.get("/models/default/allowed").json() == {
        "texts": None,
        "check_digit": None,
        "threshold": None,
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"texts": ["12", "34"]}, "no_text_fits"),
        ({"texts": ["\ud800"]}, "request_invalid"),
        ({"texts": ["a" * 201]}, "text_too_long"),
        ({"texts": ["ab"], "threshold": 2}, "request_invalid"),
        ({}, "request_invalid"),
        ({"texts": None, "check_digit": "crc"}, "request_invalid"),
        ({"texts": ["ab"], "check_digit": "luhn"}, "no_text_fits"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    api: TestClient, body: dict[str, object], code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.post("/models/default/allowed", content=json.dumps(body), headers=headers)
    problem(answer, 422, code)
    assert api.get("/models/default").json()["allowed_texts"] is None


def test_a_pattern_that_no_text_of_the_list_fits_is_refused(api: TestClient) -> None:
    api.post("/models/default/allowed", json={"texts": ["ab", "ca"]})
    refused = api.post("/models/default/pattern", json={"pattern": "[abc]{3}"})
    problem(refused, 422, "no_text_fits")
    problem(api.get("/models/none/allowed"), 404, "model_not_found")


def test_what_the_labels_of_a_version_propose_is_shown(
    api: TestClient, published: ModelStore, tmp_path: Path
) -> None:
    change = {"proposed_pattern": "[abc]{1,4}"}
    publish(published, tmp_path / "build", change=lambda m: m.model_copy(update=change))
    versions = api.get("/models/default").json()["versions"]
    assert [version["proposed_pattern"] for version in versions] == [None] * 3 + ["[abc]{1,4}"]


def test_a_damaged_record_is_shown_as_a_problem_until_a_version_is_promoted(
    api: TestClient, published: ModelStore
) -> None:
    publish(published, published.root.parent / "other", model="other")
    (published.root / "default" / "model.json").write_text("{")
    model = api.get("/models/default").json()
    assert (model["current"], model["pattern"]) == (None, None)
    assert "model.json" in model["problem"]
    assert [version["version"] for version in model["versions"]] == [1, 2, 3]
    assert [one["name"] for one in api.get("/models").json()["data"]] == ["default", "other"]
    promoted = api.post("/models/default/promote", json={"version": 2}).json()
    assert (promoted["current"], promoted["problem"]) == (2, None)


def test_the_default_model_is_chosen_shown_and_taken_back(
    api: TestClient, published: ModelStore, tmp_path: Path
) -> None:
    publish(published, tmp_path / "build", model="plates")
    assert api.get("/models").json()["default"] is None
    answer = api.post("/models/plates/default")
    assert (answer.status_code, answer.json()["default"]) == (200, True)
    page = api.get("/models").json()
    assert page["default"] == "plates"
    assert {each["name"]: each["default"] for each in page["data"]} == {
        "default": False,
        "plates": True,
    }
    problem(api.post("/models/none/default"), 404, "model_not_found")
    problem(api.delete("/models/default/default"), 404, "model_not_found")
    assert published.default() == "plates"
    assert api.delete("/models/plates/default").status_code == 204
    assert published.default() is None


def test_the_choice_of_a_model_that_is_gone_can_be_seen_and_taken_back(
    api: TestClient, published: ModelStore
) -> None:
    (published.root / DEFAULT).write_text("gone")
    assert api.get("/models").json()["default"] == "gone"
    assert api.delete("/models/gone/default").status_code == 204
    assert api.get("/models").json()["default"] is None


def test_versions_and_models_are_deleted_and_restored(
    api: TestClient, published: ModelStore
) -> None:
    assert api.delete("/models/default/versions/1").status_code == 204
    problem(api.delete("/models/default/versions/1"), 404, "version_not_found")
    problem(api.delete("/models/default/versions/3"), 409, "version_served")
    (gone,) = api.get("/models/default").json()["deleted"]
    assert gone["version"] == 1
    assert gone["kept_until"][:10] > gone["deleted_at"][:10]
    problem(api.delete("/models/default"), 409, "version_served")
    assert api.delete("/models/default?force=true").status_code == 204
    problem(api.get("/models/default"), 404, "model_not_found")
    assert api.get("/models").json()["data"] == []
    (deleted,) = api.get("/models?deleted=true").json()["data"]
    assert [each["version"] for each in deleted["deleted"]] == [1, 2, 3]
    restored = api.post("/models/default/restore", json={"version": None})
    assert (restored.status_code, restored.json()["current"]) == (200, 3)
    assert restored.json()["deleted"] == []
    problem(api.post("/models/default/restore", json={}), 404, "version_not_found")
    assert published.versions("default") == [1, 2, 3]
