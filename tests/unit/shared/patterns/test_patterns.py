import re
import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import LimitsError, UnusableError
from shared.patterns.automaton import DEAD_STATE, MAX_CELLS, MAX_STATES, Automaton, build_automaton
from shared.patterns.limits import Limits
from shared.patterns.parser import MAX_LENGTH, MAX_NESTING, MAX_SIZE, parse_pattern
from shared.texts import MAX_MARKS
from tests.support.paths import ROOT

CHARACTERS = tuple("ab1")
STEPS = 9
TEXTS = ["".join(text) for length in range(6) for text in product(CHARACTERS, repeat=length)]


def accepts(automaton: Automaton, text: str, vocabulary: tuple[str, ...] = CHARACTERS) -> bool:
    state = 0
    for character in text:
        state = int(automaton.next[state, vocabulary.index(character)])
        if state == DEAD_STATE:
            return False
    return bool(automaton.accepting[state])


def accepted(texts: list[str] = TEXTS, **limits: Any) -> set[str]:
    """Return the texts that fit; none, where the limits are refused because none can."""
    try:
        automaton = build_automaton(Limits(**limits), CHARACTERS, STEPS)
    except LimitsError as error:
        assert error.code == "no_text_fits"
        return set()
    return {text for text in texts if accepts(automaton, text)}


ATOMS = ["a", "b", "1", ".", r"\d", "[ab]", "[^a]", "[^a-z]", "[0-9b]", r"[\d-]", "x", r"\.", ""]
REPEATS = ["", "?", "*", "+", "{2}", "{1,3}", "{2,}", "{0}", "{0,2}"]


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.builds(lambda part, sign: f"({part}){sign}", inner, st.sampled_from(REPEATS))
    return st.one_of(
        repeated,
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
    )


PATTERNS = st.recursive(
    st.builds(
        lambda atom, sign: atom + sign if atom else "",
        st.sampled_from(ATOMS),
        st.sampled_from(REPEATS),
    ),
    larger,
    max_leaves=6,
)


@settings(deadline=None)
@given(PATTERNS)
def test_a_pattern_accepts_the_texts_that_pythons_fullmatch_accepts(pattern: str) -> None:
    assert accepted(pattern=pattern) == {t for t in TEXTS if re.fullmatch(pattern, t)}


@settings(deadline=None)
@given(
    PATTERNS,
    st.sampled_from(["a", "b", "1"]).flatmap(
        lambda known: st.sets(st.sampled_from("ab1x")).map(lambda more: known + "".join(more))
    ),
    st.integers(0, 6),
    st.none() | st.integers(1, 6),
)
def test_limits_hold_together(pattern: str, charset: str, least: int, most: int | None) -> None:
    found = accepted(pattern=pattern, charset=charset, min_length=least, max_length=most)
    assert found == {
        text
        for text in TEXTS
        if re.fullmatch(pattern, text)
        and set(text) <= set(charset)
        and least <= len(text) <= (len(text) if most is None else most)
    }


def test_the_patterns_of_plates_and_serial_numbers_do_what_they_say() -> None:
    vocabulary = tuple("AB01-")
    plate = build_automaton(Limits(pattern=r"[A-Z]{2}-?\d{2,3}|0+"), vocabulary, STEPS)
    for text in ("AB01", "BA-110", "00000"):
        assert accepts(plate, text, vocabulary)
    for text in ("", "A01", "AB0", "AB--01", "AB0101", "001", "AB010"[:4] + "A"):
        assert not accepts(plate, text, vocabulary)


def test_digits_are_those_of_every_script_as_in_python() -> None:
    vocabulary = tuple("1٣x")
    digits = build_automaton(Limits(pattern=r"\d\d"), vocabulary, STEPS)
    assert accepts(digits, "1٣", vocabulary)
    assert not accepts(digits, "1x", vocabulary)


WRONG = {
    "(a": "no )",
    "a)": "a ) without a (",
    "[a": "no ]",
    "[]": "empty brackets",
    "[b-a]": "range b-a",
    r"[\d-z]": r"range with \d",
    "*": "* that has no meaning there",
    "a**": "second repeat",
    "a+?": "second repeat",
    "a{2}{3}": "second repeat",
    "a{,2}": "no number",
    "a{2": "no }",
    "a{3,2}": "whose maximum is below its minimum",
    "^a": "^ that has no meaning there",
    "a$": "$ that has no meaning there",
    "(?=a)": "? that has no meaning there",
    "(?P<n>a)": "? that has no meaning there",
    r"(a)\1": r"\1, which is not supported",
    r"\w": r"\w, which is not supported",
    "a\\": "a backslash with nothing",
}


@pytest.mark.parametrize(("pattern", "what"), WRONG.items())
def test_a_wrong_pattern_is_told_what_is_wrong_and_where(pattern: str, what: str) -> None:
    with pytest.raises(LimitsError) as caught:
        parse_pattern(pattern)
    assert (caught.value.code, caught.value.field) == ("pattern_invalid", "pattern")
    assert what in caught.value.message
    assert re.search(r"at character \d+\.$", caught.value.message)
    assert "[A-Z0-9]" in caught.value.hint


MARKS = "\u0301" * 100_000 + "\u0316" * 100_000
"""Composing them takes minutes."""

HOSTILE = {
    "deep": "(" * 400,
    "deep and closed": "(" * 200 + "a" + ")" * 200,
    "nested repeats": "((a{1000}){1000}){1000}",
    "nested repeats of nothing": "((((){400}){400}){400}){400}",
    "huge repeat": "a{99999999999999999999}",
    "many alternatives": "(a|b|1){200}",
}


@pytest.mark.parametrize("pattern", HOSTILE.values(), ids=HOSTILE)
def test_a_pattern_that_would_cost_much_is_refused_before_anything_is_built(pattern: str) -> None:
    with pytest.raises(LimitsError) as caught:
        parse_pattern(pattern)
    assert caught.value.code == "pattern_too_large"
    assert "limit" in caught.value.hint


def test_a_long_pattern_is_measured_before_it_is_looked_at() -> None:
    began = time.monotonic()
    with pytest.raises(UnusableError) as caught:
        build_automaton(Limits(pattern="a" + MARKS), CHARACTERS, STEPS)
    assert caught.value.code == "text_too_long"
    assert caught.value.message == "pattern has 200,001 characters; the limit is 500."
    assert time.monotonic() - began < 5


def test_a_pattern_or_charset_of_endless_marks_is_refused() -> None:
    with pytest.raises(LimitsError, match="more than 30 combining marks") as caught:
        parse_pattern("a" + MARKS[:400])
    assert caught.value.code == "pattern_invalid"


def test_what_is_slow_for_other_engines_is_a_small_automaton_here() -> None:
    for pattern in ("(a|a)*", "(a*)*b", "(a|b|ab)*1", "(((a?)*)+)*"):
        assert len(build_automaton(Limits(pattern=pattern), CHARACTERS, STEPS).next) <= 6


def test_a_pattern_whose_states_multiply_is_refused() -> None:
    with pytest.raises(LimitsError) as caught:
        build_automaton(Limits(pattern="(a|b)*a(a|b){60}"), CHARACTERS, STEPS)
    assert caught.value.code == "pattern_too_large"


def test_the_larger_the_model_the_fewer_states_an_automaton_may_have() -> None:
    vocabulary = tuple(map(chr, range(0x4E00, 0x4E00 + 2000)))
    limits = Limits(pattern=".{7}")
    assert len(build_automaton(limits, vocabulary, 50).next) == 8
    with pytest.raises(LimitsError, match="too large an automaton"):
        build_automaton(limits, vocabulary, MAX_CELLS // (7 * 2000))


def test_the_longest_pattern_that_is_allowed_is_built() -> None:
    pattern = "a?" * (MAX_LENGTH // 2)
    automaton = build_automaton(Limits(pattern=pattern), CHARACTERS, STEPS)
    assert accepts(automaton, "a" * (MAX_LENGTH // 2))
    assert not accepts(automaton, "a" * (MAX_LENGTH // 2 + 1))


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (Limits(pattern="[x-z]+"), "pattern"),
        (Limits(charset="xyz", min_length=1), "charset"),
        (Limits(charset="xyz"), "charset"),
        (Limits(pattern=".*", charset="xyz"), "charset"),
        (Limits(min_length=STEPS + 1), "min_length"),
        (Limits(pattern=f"[ab]{{{STEPS + 1}}}"), "pattern"),
        (Limits(pattern=f"a{{{STEPS // 2 + 1}}}b{{{STEPS // 2}}}"), "pattern"),
        (Limits(pattern="ab", max_length=1), "pattern"),
    ],
)
def test_limits_that_no_text_of_the_model_fits_are_refused(limits: Limits, field: str) -> None:
    with pytest.raises(LimitsError) as caught:
        build_automaton(limits, CHARACTERS, STEPS)
    assert (caught.value.code, caught.value.field) == ("no_text_fits", field)
    assert "ab1" in caught.value.hint


def test_the_documentation_names_the_limits() -> None:
    page = (ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
    table = page.split("| limit | |\n", 1)[1].split("\n\n", 1)[0]
    assert [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]+", table)] == [
        MAX_LENGTH,
        MAX_MARKS,
        MAX_NESTING,
        MAX_SIZE,
        MAX_STATES,
        MAX_CELLS,
    ]
