from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.automaton import build_automaton
from shared.patterns.check_digits import CHECK_RULES
from shared.patterns.limits import Limits
from shared.recognition.decoding import (
    ALLOWED_ODDS,
    CHECKED,
    decode,
    decode_allowed,
    decode_checked,
    text_probability,
)
from shared.recognition.search import allowed_texts
from shared.recognition.search.allowed_texts import CUTOFF, SpelledTexts, spell_allowed
from shared.recognition.vocabulary import Vocabulary

VOCABULARY = Vocabulary("abc")
EVERY_TEXT = ["".join(text) for length in range(1, 5) for text in product("abc", repeat=length)]


@st.composite
def outputs(draw: st.DrawFn) -> NDArray[np.float32]:
    """Softmax output of one image, (T, classes), from unsure to very sure."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 6)), VOCABULARY.classes
    powers = np.exp(random.normal(scale=draw(st.sampled_from([0.1, 3, 15])), size=shape))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


lists = st.lists(st.sampled_from(EVERY_TEXT), min_size=1, unique=True)


@given(outputs(), lists, st.sampled_from([1, 5, 64]))
def test_each_texts_probability_is_the_sum_over_all_its_paths(
    steps: NDArray[np.float32], texts: list[str], tried_first: int
) -> None:
    spelled = SpelledTexts.of(texts, VOCABULARY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allowed_texts, "TRIED_FIRST", tried_first)
        patch.setattr(allowed_texts, "STEPS_BETWEEN_CUTS", 1)
        found = spelled.probabilities(steps)
    expected = np.array(
        [text_probability(steps, VOCABULARY.encode(text), 3) for text in spelled.texts]
    )
    expected[expected < CUTOFF * expected.max()] = 0
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-300)


def test_a_long_list_is_read_as_a_short_one() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(text) for text in product("abc", repeat=7)]
    powers = np.exp(random.normal(scale=2, size=(16, VOCABULARY.classes)))
    steps = np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
    found = SpelledTexts.of(texts, VOCABULARY).probabilities(steps)
    expected = [text_probability(steps, VOCABULARY.encode(text), 3) for text in texts]
    assert len(texts) > allowed_texts.CHUNK
    assert found.argmax() == np.argmax(expected)
    assert found[found > 0] == pytest.approx(np.array(expected)[found > 0], rel=1e-5)


@given(outputs(), lists)
def test_confidence_is_the_share_among_the_allowed_and_none_of_them(
    steps: NDArray[np.float32], texts: list[str]
) -> None:
    exact = {text: text_probability(steps, VOCABULARY.encode(text), 3) for text in texts}
    fitting = SpelledTexts.of(texts, VOCABULARY)
    (prediction,) = decode_allowed(steps[np.newaxis], VOCABULARY, fitting, top_k=20)
    if max(exact.values()) == 0:
        assert prediction is None
        return
    assert prediction is not None
    (freely,) = decode(steps[np.newaxis], VOCABULARY)
    none = min(freely.confidence, max(0.0, 1 - sum(exact.values())))
    whole = ALLOWED_ODDS * sum(exact.values()) + none
    assert exact[prediction.text] == pytest.approx(max(exact.values()))
    for each in prediction.alternatives:
        share = ALLOWED_ODDS * exact[each.text] / whole
        assert each.confidence == pytest.approx(share, rel=1e-3, abs=1e-6)
    assert sum(each.confidence for each in prediction.alternatives) <= 1 + 1e-6
    assert "".join(each.text for each in prediction.characters) == prediction.text


def of_path(path: list[int], sure: float) -> NDArray[np.float32]:
    steps = np.full((len(path), VOCABULARY.classes), (1 - sure) / 3, np.float32)
    steps[range(len(path)), path] = sure
    return steps[np.newaxis]


def test_a_misread_character_is_put_right_and_another_text_has_a_low_confidence() -> None:
    steps = of_path([0, 3, 1, 3, 2, 3, 0, 3], 0.99)  # abca
    near = SpelledTexts.of(["abcb", "cccc"], VOCABULARY)
    far = SpelledTexts.of(["bcbb", "cccc"], VOCABULARY)
    (put_right,) = decode_allowed(steps, VOCABULARY, near)
    (other,) = decode_allowed(steps, VOCABULARY, far)
    assert put_right is not None
    assert other is not None
    assert (put_right.text, put_right.confidence > 0.5) == ("abcb", True)
    assert other.confidence < 0.01


def test_an_image_in_which_no_allowed_text_has_any_probability_has_no_prediction() -> None:
    only_b = SpelledTexts.of(["b"], VOCABULARY)
    assert decode_allowed(of_path([0, 3], 1.0), VOCABULARY, only_b) == [None]


DIGITS = Vocabulary("0123")
NUMBERS = ["".join(text) for length in range(1, 5) for text in product("0123", repeat=length)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CHECK_RULES)))
def test_with_a_check_digit_the_answer_is_the_likeliest_number_that_is_right(
    seed: int, name: str
) -> None:
    powers = np.exp(np.random.default_rng(seed).normal(scale=3, size=(4, DIGITS.classes)))
    steps = np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
    rule = CHECK_RULES[name]
    exact = {
        text: text_probability(steps, DIGITS.encode(text), 4) for text in NUMBERS if rule.fits(text)
    }
    anything = build_automaton(Limits(), DIGITS.characters, 4)
    (prediction,) = decode_checked(steps[np.newaxis], DIGITS, anything, rule)
    # What is not among the CHECKED likeliest is not found, and hardly likely.
    best = max(exact.values(), default=0)
    if prediction is None:
        assert best < 1 / CHECKED
    else:
        assert rule.fits(prediction.text)
        assert exact[prediction.text] == pytest.approx(best, rel=1e-3) or best < 1 / CHECKED


def spelled(time_steps: int = 4, **limits: Any) -> tuple[str, ...]:
    return spell_allowed(Limits(**limits), VOCABULARY, time_steps).texts


def test_only_texts_that_the_model_can_spell_and_that_fit_the_other_limits_are_left() -> None:
    assert spelled(allowed=("ab", "abx", "abcab", "aaa", "cc")) == ("ab", "cc")
    assert spelled(allowed=("ab", "cc", "abc"), pattern="..") == ("ab", "cc")
    assert spelled(allowed=("ab", "cc", "abc"), charset="ab", max_length=2) == ("ab",)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"allowed": ("x", "abcab")}, "can spell none of the allowed texts"),
        ({"allowed": ("ab",), "min_length": 3}, "fits the other limits"),
    ],
)
def test_a_list_of_which_nothing_is_left_is_an_error(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(LimitsError, match=message) as caught:
        spelled(**limits)
    assert (caught.value.code, caught.value.field) == ("no_text_fits", "allowed")
