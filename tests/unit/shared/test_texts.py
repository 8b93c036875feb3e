"""Texts from outside are bounded before they are composed, and shown without what misleads."""

import json
import logging
import time
import unicodedata

import pytest
from hypothesis import given, strategies

from shared.errors import UnusableError, first_line
from shared.texts import (
    composed,
    csv_cell,
    log_as_text,
    printable,
    require_printable,
    shown,
    shown_lines,
    text_of_cell,
)

HOSTILE = "a\x1b[2J\x9b31m\r\nb\u202ec\u2066d\u2028e\ud800\x00"
SHOWN = r"a\u001b[2J\u009b31m\u000d\u000ab\u202ec\u2066d\u2028e\ud800\u0000"


def test_a_text_is_composed() -> None:
    assert composed("e\u0301" * 500) == "é" * 500
    assert composed("क\u093c" * 20) == unicodedata.normalize("NFC", "क\u093c" * 20)
    vietnamese = "ế" * 1000  # each is a letter and two marks
    assert composed(vietnamese) == composed(unicodedata.normalize("NFD", vietnamese)) == vietnamese


@pytest.mark.parametrize(
    "marks",
    ["\u0301" * 5000 + "\u0316" * 5000, "\u0301\u0316" * 5000, "\u0f73" * 10_000, "\u0301" * 31],
)
def test_more_marks_on_a_letter_than_any_script_has_are_refused(marks: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="more than 30 combining marks in a row"):
        composed(f"a{marks}")
    assert time.monotonic() - began < 5


def test_nothing_that_a_terminal_obeys_or_that_turns_text_is_shown() -> None:
    assert shown(HOSTILE) == SHOWN
    assert json.loads(f'"{SHOWN}"') == HOSTILE
    assert shown(SHOWN) == SHOWN
    assert shown("é 日本 שלום") == "é 日本 שלום"
    assert shown("x" * 300) == "x" * 200 + "…"
    assert shown("x" * 300, None) == "x" * 300
    assert shown_lines("a\x1b\nb") == "a\\u001b\nb"


def test_labels_may_turn_but_hold_no_control_characters() -> None:
    assert printable("\u202ea")
    assert not any(map(printable, ("\x1b", "\n", "\ud800", "\x9b", "\u2028")))
    with pytest.raises(ValueError, match=r"holds control characters: a\\u001b"):
        require_printable("a\x1b")


def test_an_error_is_made_of_what_can_be_shown() -> None:
    error = UnusableError("request_invalid", HOSTILE, f"Not {HOSTILE}.", HOSTILE)
    assert (error.message, error.hint, error.field) == (SHOWN, f"Not {SHOWN}.", SHOWN)
    assert str(error) == SHOWN
    assert first_line(ValueError("a\x1b[2J.\nb")) == r"a\u001b[2J"


def test_a_log_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        log_as_text()
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logging.getLogger("x").warning("It says %s", HOSTILE, exc_info=True)
    finally:
        root.handlers = before
    logged = capsys.readouterr().err
    assert logged.splitlines()[0].endswith(f"x: It says {SHOWN}")
    assert logged.splitlines()[1] == "Traceback (most recent call last):"
    assert not {"\x1b", "\x9b", "\u202e", "\u2066", "\r", "\x00"} & set(logged)


@pytest.mark.parametrize("text", ["=1+1", "+49", "-5", "@a", "\tx", "\rx", "'=1", "''-5"])
def test_a_cell_that_would_be_a_formula_is_none(text: str) -> None:
    assert csv_cell(text) == f"'{text}"
    assert text_of_cell(csv_cell(text)) == text


@given(strategies.text(alphabet="'=+-@\t\ra"))
def test_every_text_comes_back_from_its_cell(text: str) -> None:
    assert text_of_cell(csv_cell(text)) == text
    assert not csv_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_other_cells_are_as_they_were() -> None:
    for text in ("", "a=b", "'quoted'", "2024-01", "'"):
        assert csv_cell(text) == text_of_cell(text) == text
