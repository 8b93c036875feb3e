"""Which model answers a request that names none."""

import pytest

from predictor.models.default_model import answering_model
from shared.errors import MalformedError, NotFoundError


@pytest.mark.parametrize(
    ("served", "chosen", "setting", "answering"),
    [
        (["plates", "meters", "default", "starter"], "meters", "plates", "meters"),
        (["plates", "meters", "default", "starter"], None, "plates", "plates"),
        (["plates", "meters", "default", "starter"], None, None, "default"),
        (["plates", "starter"], None, None, "plates"),
        (["starter"], None, None, "starter"),
        (["starter"], None, "plates", "starter"),
        ([], None, None, "default"),
    ],
    ids=["chosen", "setting", "named default", "only one", "starter", "not trained yet", "empty"],
)
def test_the_first_that_applies_answers(
    served: list[str], chosen: str | None, setting: str | None, answering: str
) -> None:
    assert answering_model(served, chosen, setting) == answering


def test_of_several_models_none_is_guessed() -> None:
    with pytest.raises(
        MalformedError, match="names no model, and there are 2: plates, meters"
    ) as e:
        answering_model(["plates", "meters", "starter"])
    assert (e.value.code, e.value.http_status) == ("model_not_named", 400)
    assert "readsmith models default plates" in e.value.hint


@pytest.mark.parametrize(
    ("chosen", "setting", "why"),
    [("gone", None, "models default"), (None, "gone", "READSMITH_DEFAULT_MODEL")],
)
def test_a_default_that_is_gone_is_told_and_no_other_answers(
    chosen: str | None, setting: str | None, why: str
) -> None:
    with pytest.raises(NotFoundError, match=f"'gone', is served .*{why}") as error:
        answering_model(["plates", "starter"], chosen, setting)
    assert "plates" in error.value.hint and "starter" not in error.value.hint


def test_a_chosen_default_that_is_gone_is_told_where_nothing_else_is_served() -> None:
    with pytest.raises(NotFoundError, match="'gone'"):
        answering_model(["starter"], "gone")
