import re
from itertools import groupby, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.recognition.decoding import ALTERNATIVE_CUTOFF, decode_within
from shared.recognition.search.beam_search import search
from shared.recognition.vocabulary import Vocabulary, required_time_steps

CHARACTERS = tuple("ab1")
BLANK = len(CHARACTERS)
EVERY_TEXT = 10_000
"""A width that keeps all texts of these small cases."""

Steps = NDArray[np.float32]


def softmax(logits: NDArray[np.float64]) -> Steps:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


@st.composite
def images(draw: st.DrawFn, most: int = 5) -> Steps:
    """Softmax output of one image; the larger the scale, the surer, until most are zero."""
    seed, steps = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, most))
    scale = draw(st.sampled_from([0.5, 3.0, 100.0]))
    return softmax(np.random.default_rng(seed).normal(scale=scale, size=(steps, BLANK + 1)))


def exact(steps: Steps) -> dict[str, float]:
    """Sum the probabilities of all paths by the text that they spell."""
    texts: dict[str, float] = {}
    for path in product(range(BLANK + 1), repeat=len(steps)):
        text = "".join(CHARACTERS[each] for each, _ in groupby(path) if each != BLANK)
        probability = np.prod(steps.astype(np.float64)[range(len(steps)), path])
        texts[text] = texts.get(text, 0.0) + float(probability)
    return {text: probability for text, probability in texts.items() if probability > 0}


def searched(steps: Steps, **options: Any) -> dict[str, float]:
    limits = options.pop("limits", Limits())
    automaton = build_automaton(limits, CHARACTERS, len(steps))
    found = search(steps, automaton, **options)
    return {"".join(CHARACTERS[each] for each in classes): share for classes, share in found}


@settings(deadline=None)
@given(images())
def test_without_bounds_every_text_has_the_sum_of_its_paths(steps: Steps) -> None:
    found, expected = searched(steps, width=EVERY_TEXT, cutoff=0.0), exact(steps)
    for text in found.keys() | expected.keys():
        assert found.get(text, 0.0) == pytest.approx(expected.get(text, 0.0), rel=1e-6, abs=1e-30)
    assert list(found.values()) == sorted(found.values(), reverse=True)


PATTERNS = [
    "a*", "[ab]{2}", r"\d+", r"[ab]\d", "(ab|1a)+", "a?b?1?", ".{2,3}", "aa|bb|11", "(a|b1)*",
    "[^a]+", "b{3}", r"(\d[ab]){2}", "a.*1", "",
]  # fmt: skip

ALL_LIMITS = st.builds(
    Limits,
    pattern=st.none() | st.sampled_from(PATTERNS),
    charset=st.none() | st.sampled_from(["ab", "1", "ab1"]),
    min_length=st.integers(0, 3),
    max_length=st.none() | st.integers(1, 3),
)


def fits(text: str, limits: Limits) -> bool:
    return (
        (limits.pattern is None or re.fullmatch(limits.pattern, text) is not None)
        and (limits.charset is None or set(text) <= set(limits.charset))
        and limits.min_length <= len(text)
        and (limits.max_length is None or len(text) <= limits.max_length)
    )


@settings(deadline=None)
@given(images(), ALL_LIMITS)
def test_the_answer_is_the_likeliest_text_that_fits(steps: Steps, limits: Limits) -> None:
    fitting = {text: share for text, share in exact(steps).items() if fits(text, limits)}
    try:
        found = searched(steps, limits=limits, width=EVERY_TEXT, cutoff=0.0)
    except LimitsError:
        found = {}
    if not found:
        assert all(share < 1e-300 for share in fitting.values())
        return
    assert found.keys() <= fitting.keys()
    text, share = next(iter(found.items()))
    assert share == pytest.approx(max(fitting.values()), rel=1e-6)
    assert fitting[text] == pytest.approx(share, rel=1e-6)


@settings(deadline=None)
@given(ALL_LIMITS, st.integers(1, 5))
def test_limits_are_refused_exactly_if_no_text_of_so_many_steps_fits(
    limits: Limits, steps: int
) -> None:
    evenly = np.full((steps, BLANK + 1), 1 / (BLANK + 1), dtype=np.float32)
    possible = any(fits(text, limits) for text in exact(evenly))
    try:
        build_automaton(limits, CHARACTERS, steps)
    except LimitsError as error:
        assert error.code == "no_text_fits"
        assert not possible
    else:
        assert possible


@pytest.mark.parametrize("scale", [0.5, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_alternatives_are_the_likeliest_texts_but_for_faint_ones(
    scale: float, seed: int
) -> None:
    steps = softmax(np.random.default_rng(seed).normal(scale=scale, size=(5, BLANK + 1)))
    automaton = build_automaton(Limits(), CHARACTERS, len(steps))
    (prediction,) = decode_within(steps[np.newaxis], Vocabulary(CHARACTERS), automaton, top_k=10)
    ordered = sorted(exact(steps).values(), reverse=True)
    expected = [share for share in ordered if share >= ALTERNATIVE_CUTOFF * ordered[0]][:10]
    assert prediction is not None
    assert [each.confidence for each in prediction.alternatives] == pytest.approx(
        expected, rel=1e-5
    )


@settings(deadline=None)
@given(images(), ALL_LIMITS, st.integers(1, 3))
def test_the_narrowest_beam_finds_a_text_that_fits_where_there_is_one(
    steps: Steps, limits: Limits, width: int
) -> None:
    fitting = {text: share for text, share in exact(steps).items() if fits(text, limits)}
    if not fitting:
        return
    found = searched(steps, limits=limits, width=width)
    assert 1 <= len(found) <= width
    assert found.keys() <= fitting.keys()


def test_a_text_that_fits_is_found_however_much_the_model_is_against_it() -> None:
    steps = np.full((12, BLANK + 1), 1e-38, dtype=np.float32)
    steps[:, BLANK] = 1.0
    assert required_time_steps("a11111b") == 11
    assert list(searched(steps, limits=Limits(pattern="a1{5}b"), width=1)) == ["a11111b"]
    assert required_time_steps("a111111b") == 13
    with pytest.raises(LimitsError):
        searched(steps, limits=Limits(pattern="a1{6}b"), width=1)


def test_nothing_is_found_where_the_model_rules_every_fitting_text_out() -> None:
    steps = np.eye(BLANK + 1, dtype=np.float32)[[0, BLANK, 1]]
    assert searched(steps, limits=Limits(pattern="a1"), width=8) == {}
    assert list(searched(steps, limits=Limits(pattern="a."), width=8)) == ["ab"]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([r"[ab]{2}\d{3}", r"(a\d|b)+", ".{4,6}", ".*"]))
def test_a_beam_of_ordinary_width_agrees_with_a_far_wider_one(seed: int, pattern: str) -> None:
    logits = np.random.default_rng(seed).normal(scale=3.0, size=(1, 20, BLANK + 1))
    steps = softmax(logits)
    automaton = build_automaton(Limits(pattern=pattern), CHARACTERS, 20)
    (prediction,) = decode_within(steps, Vocabulary(CHARACTERS), automaton)
    (wide,) = decode_within(steps, Vocabulary(CHARACTERS), automaton, top_k=100)
    assert prediction is not None
    assert wide is not None
    assert prediction.confidence >= 0.5 * wide.confidence
