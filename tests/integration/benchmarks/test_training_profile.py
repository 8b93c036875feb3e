"""A profile of training."""

from pathlib import Path

from benchmarks.training_profile import profile
from tests.support.labelled_images import labelled_zip


def test_every_step_of_training_is_timed(tmp_path: Path) -> None:
    path = labelled_zip(tmp_path / "set.zip", [f"{n:03}" for n in range(60)])
    once, batch, validation, about = profile(path, "conv", batches=3)
    assert "batches and a validation" in about
    assert list(batch)[:2] == ["load the images", "standardise"]
    assert [len(steps) for steps in (once, batch, validation)] == [3, 6, 3]
    whole = (
        "check and split the set",
        "decode the images",
        "load the images",
        "predict the images",
    )
    steps = {**once, **batch, **validation}
    assert all(steps[name] > 0 for name in whole)  # the others are differences
