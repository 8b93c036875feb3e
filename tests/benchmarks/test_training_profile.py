"""Where the time of training goes."""

from pathlib import Path

import pytest

from benchmarks.training_profile import profile
from tests.drawn import labelled_zip


@pytest.mark.slow
def test_every_step_of_training_is_timed(tmp_path: Path) -> None:
    path = labelled_zip(tmp_path / "set.zip", [f"{n:03}" for n in range(60)])
    once, batch, validation, about = profile(path, "conv", batches=3)
    assert "batches and a look" in about
    assert list(batch)[:2] == ["take them", "standardise"]
    steps = {**once, **batch, **validation}
    assert len(steps) == 3 + 6 + 3
    assert all(seconds > 0 for name, seconds in steps.items() if name != "update of the weights")
