"""Mutated inputs for every parser: READSMITH_FUZZ_SECONDS, all together, 600 unless set."""

import os

import pytest

from tests.support.hostile.mutations import TARGETS, fuzz_for

SECONDS = float(os.environ.get("READSMITH_FUZZ_SECONDS", "600"))


@pytest.mark.parametrize("name", TARGETS)
def test_no_mutation_brings_an_undocumented_error_out(name: str) -> None:
    seconds = SECONDS / len(TARGETS)
    tried = fuzz_for(TARGETS[name], seconds)
    assert tried > 0
    print(f"{name}: {tried:,} mutations in {seconds:.0f} s, 0 crashes")
