import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.recognition.scoring import Score, edit_distance, wilson_interval

short_texts = st.text("abc", max_size=5)


def distance_by_definition(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(
        distance_by_definition(a[1:], b) + 1,
        distance_by_definition(a, b[1:]) + 1,
        distance_by_definition(a[1:], b[1:]) + (a[0] != b[0]),
    )


@given(short_texts, short_texts)
def test_the_edit_distance_is_levenshteins(a: str, b: str) -> None:
    assert edit_distance(a, b) == distance_by_definition(a, b)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (98, 100, 0.9300, 0.9945), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 1000), st.data())
def test_the_interval_holds_the_share_it_is_for(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-9
    assert successes / trials - 1e-9 <= high <= 1


def test_rates_are_sums_divided_once() -> None:
    score = Score.of([("ab", "ab"), ("abcdef", "abcxef"), ("a", "")])
    assert (score.images, score.exact, score.edits, score.characters) == (3, 1, 2, 9)
    assert score.exact_match == pytest.approx(1 / 3)
    assert score.cer == pytest.approx(2 / 9)


def test_nothing_scored_is_zero_not_an_error() -> None:
    assert (Score.of([]).exact_match, Score.of([]).cer) == (0.0, 0.0)
