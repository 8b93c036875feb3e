import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ReadsmithError
from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from trainer.pipeline.publishing.pattern import accept_pattern, propose_pattern


def drawn(*places: str, count: int = 100, seed: int = 0) -> list[str]:
    """Return labels with a random character of each place's."""
    chance = random.Random(seed)
    return ["".join(chance.choice(place) for place in places) for _ in range(count)]


UPPER, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"


@pytest.mark.parametrize(
    ("labels", "pattern"),
    [
        (drawn(UPPER, UPPER, *[DIGITS] * 4), "[A-Z]{2}[0-9]{4}"),
        (drawn(UPPER, "-", DIGITS, DIGITS), "[A-Z]\\-[0-9]{2}"),
        (drawn("ab", "ab", DIGITS), "[ab]{2}[0-9]"),
        (drawn(UPPER + DIGITS, UPPER.lower()), "[A-Z0-9][a-z]"),
        (drawn(*["2345678bcdefgmnpwxy"] * 5), "[a-z0-9]{5}"),
        (drawn("京沪粤津渝", UPPER, DIGITS, DIGITS), "[京沪津渝粤][A-Z][0-9]{2}"),
        (drawn(DIGITS, DIGITS) + drawn(*[DIGITS] * 5), "[0-9]{2,5}"),
        (drawn("01") + drawn("01", "01"), "[01]{1,2}"),
        (drawn(".", DIGITS), "\\.[0-9]"),
        (drawn("]^-", "A"), "[\\-\\]\\^]A"),
    ],
)
def test_labels_with_something_in_common_propose_it(labels: list[str], pattern: str) -> None:
    assert propose_pattern(labels) == pattern


def test_a_character_that_is_seen_once_hints_at_others_of_its_kind() -> None:
    labels = [*drawn("A", count=99), "B"]
    assert propose_pattern(labels) == "[A-Z]"


def test_a_few_labels_propose_nothing() -> None:
    assert propose_pattern(drawn(DIGITS, count=19)) is None
    assert propose_pattern([]) is None


def test_labels_too_long_to_be_described_propose_nothing() -> None:
    assert propose_pattern(["ab" * 300] * 30) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=20))
def test_every_label_fits_what_is_proposed(labels: list[str]) -> None:
    pattern = propose_pattern(labels)
    assert pattern is None or all(re.fullmatch(pattern, label) for label in labels)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path / "models")
    publish(store, tmp_path / "build")
    return store


def test_an_accepted_pattern_is_kept_until_it_is_dropped(store: ModelStore) -> None:
    accept_pattern(store, "default", "[abc]{2}")
    assert store.settings("default").pattern == "[abc]{2}"
    accept_pattern(store, "default", None)
    assert store.settings("default").pattern is None


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("[ab", "pattern_invalid"),
        ("", "pattern_invalid"),
        ("[0-9]{2}", "no_text_fits"),
        ("a{1000}", "pattern_too_large"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(
    store: ModelStore, pattern: str, code: str
) -> None:
    with pytest.raises(ReadsmithError) as caught:
        accept_pattern(store, "default", pattern)
    assert caught.value.code == code
    assert store.settings("default").pattern is None


@pytest.mark.parametrize("pattern", ["a", None])
def test_a_model_that_is_not_there_has_no_pattern(store: ModelStore, pattern: str | None) -> None:
    with pytest.raises(ReadsmithError) as caught:
        accept_pattern(store, "none", pattern)
    assert caught.value.code == "model_not_found"
    assert store.models() == ["default"]


def test_an_empty_label_makes_the_pattern_optional() -> None:
    assert propose_pattern([*drawn(UPPER, DIGITS), ""]) == "([A-Z][0-9])?"
    assert propose_pattern([""] * 30 + ["A1"]) is None
