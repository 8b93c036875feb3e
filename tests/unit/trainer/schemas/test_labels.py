"""What a regular expression for file names may hold: nothing that costs more than its length."""

import json
import resource

import pytest
from fastapi.testclient import TestClient

from tests.support.api.problems import fields, problem
from trainer.api.app import create_app
from trainer.schemas.labels import compile_pattern
from trainer.settings import Settings

BEYOND = {
    "(?R)?a": "(?R)?",
    "a(?0)?": "(?0)?",
    "(a)(?1)": "(?1)",
    "(a)(?-1)": "(?-1)",
    "(?+1)(a)": "(?+1)",
    "(?P<x>a)(?&x)": "(?&x)",
    "(?P<x>a)(?P>x)": "(?P>x",
    "(?#[)(?R)": "(?#[)",
    "(?x)#[\n(?R)]": "(?x)#",
    "(?V1)[[a]b]": "(?V1)",
    "(?i)(?b)a": "(?b)a",
}
"""Patterns with what the package regex knows beyond regular expressions, and where it begins."""
FUZZY = ("(a){e<=1}", "(?:a){i,d}", "a{1<=e<=2}", r"\p{e<=1}", "a{b")


@pytest.mark.parametrize(("pattern", "found"), BEYOND.items())
def test_recursion_calls_comments_and_unknown_flags_are_refused(pattern: str, found: str) -> None:
    with pytest.raises(ValueError, match="recursion, calls of groups, comments and flags") as told:
        compile_pattern(pattern)
    where = pattern.index(found) + 1
    shown = json.dumps(found)[1:-1]
    assert f"has {shown}" in str(told.value).replace("\\u000a", "\\n")
    assert f"at character {where}:" in str(told.value)


@pytest.mark.parametrize("pattern", FUZZY)
def test_fuzzy_matches_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="fuzzy matches are not supported"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(?P<text>[A-Z]{2,4})_[^_]{,3}(?:x|y)*?\.",
        r"(?<text>.+?)(?=-)(?!x)(?<=a)(?<!b)(?>c)",
        r"(?i)(?s-m:a)(?-i:b)(a)?(?(1)b|c)(?P<q>['\"]).*(?P=q)\1",
        r"\{e<=1\}[{(?R)}]\(\?R\)[]{e}]\p{Lu}\P{L}",
    ],
)
def test_regular_expressions_as_in_python_are_taken(pattern: str) -> None:
    assert compile_pattern(pattern).pattern == pattern


def test_a_pattern_that_would_take_all_memory_is_a_problem(settings: Settings) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with TestClient(create_app(settings), raise_server_exceptions=False) as api:
        for pattern in (*BEYOND, *FUZZY):
            answer = api.post("/jobs", json={"labels": {"filename": {"pattern": pattern}}})
            document = problem(answer, 422, "request_invalid")
            assert fields(document).keys() == {"labels.filename.pattern"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_memory_that_runs_out_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(pattern: str) -> None:
        raise MemoryError

    monkeypatch.setattr("trainer.schemas.labels.regex.compile", none_left)
    with pytest.raises(ValueError, match="takes too much memory"):
        compile_pattern("a")
