"""Images that mean harm: read or refused with a reason, in bounded memory and time."""

import json
import subprocess
import sys

import pytest

from tests.support.hostile.decoding_cost import Cost
from tests.support.hostile.images import READ, REFUSED
from tests.support.paths import ROOT

MOST_MEGABYTES = 200
"""Above what the process has anyway; the pixels alone of the largest image take 40."""
MOST_SECONDS = 10
"""Of a processor that others use, too; without the limits, several of them take minutes."""


@pytest.fixture(scope="module")
def costs() -> dict[str, Cost]:
    command = [sys.executable, "-m", "tests.support.hostile.decoding_cost"]
    child = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert child.returncode == 0, child.stderr
    measured = [Cost(**json.loads(line)) for line in child.stdout.splitlines()]
    dearest = max(measured, key=lambda cost: cost.megabytes)
    slowest = max(measured, key=lambda cost: cost.seconds)
    print(f"{len(measured)} images, at most {dearest.megabytes:.0f} MB ({dearest.name})")
    print(f"and {slowest.seconds:.1f} s ({slowest.name})")
    return {cost.name: cost for cost in measured}


@pytest.mark.parametrize("name", READ)
def test_a_dear_image_is_read(costs: dict[str, Cost], name: str) -> None:
    assert costs[name].outcome == "read"


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_image_is_refused_with_its_reason(costs: dict[str, Cost], name: str) -> None:
    assert costs[name].outcome == REFUSED[name][1]


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_memory_and_time_are_bounded(costs: dict[str, Cost], name: str) -> None:
    assert costs[name].megabytes < MOST_MEGABYTES
    assert costs[name].seconds < MOST_SECONDS
