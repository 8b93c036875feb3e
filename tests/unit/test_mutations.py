"""The short form of tests/faults/test_fuzz.py: some mutations for each parser."""

import pytest

from tests.support.hostile.mutations import TARGETS, Target, fuzz

EXAMPLES = 40


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_only_documented_errors_come_out_of_a_parser(target: Target) -> None:
    assert fuzz(target, EXAMPLES, number=0) >= EXAMPLES


def test_an_error_that_is_not_documented_is_found() -> None:
    def fragile(data: bytes) -> None:
        if not data.startswith(b"valid"):
            raise KeyError("undocumented")

    with pytest.raises(KeyError):
        fuzz(Target([b"valid input"], fragile), EXAMPLES, number=0)
