"""The table says what the runs found, and never more."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.measurement import Measurement, Run, Side, allowed_wrong
from benchmarks.table import rows


def ran(side: Side, seed: int = 0, **found: Any) -> Run:
    measured = {"set": "V2", "limit_images": None} | {
        name: found.pop(name) for name in ("set", "limit_images") if name in found
    }
    return Run(
        measurement=Measurement(side=side, dataset=Path("v2.zip"), seed=seed, **measured),
        **{
            "train_images": 747,
            "validation_images": 93,
            "test_images": 93,
            "epochs": 40,
            "check_seconds": 1.0,
            "fit_seconds": 101.0,
            "train_seconds": 100.0,
            "seconds_to_99": 50.0,
            "validation_exact_match": 1.0,
            "exact": 93,
            "peak_bytes": 10**9,
            "events": [],
            "failure": None,
        }
        | found,
    )


@pytest.mark.parametrize(
    ("images", "wrong"), [(1, 0), (49, 0), (50, 1), (93, 1), (199, 1), (200, 2), (350, 3)]
)
def test_one_in_a_hundred_may_be_wrong_and_one_of_fifty_or_more(images: int, wrong: int) -> None:
    assert allowed_wrong(images) == wrong


def test_the_ratio_is_the_median_over_seeds_with_its_spread() -> None:
    runs = [
        run
        for seed, seconds in enumerate((180.0, 200.0, 150.0))
        for run in (
            ran("reference", seed, seconds_to_99=seconds),
            ran("ours", seed, seconds_to_99=25.0),
        )
    ]

    speed, exact = rows("v2", runs)

    assert speed.ratio == "7.2× (6.0× to 8.0×)"
    assert speed.reference == "180 s (150 s to 200 s)"
    assert speed.reached is True
    assert exact.ours == "100.0 % (100.0 % to 100.0 %)"


def test_a_reference_that_never_gets_there_makes_the_ratio_a_lower_bound() -> None:
    runs = [
        ran("reference", seconds_to_99=None, train_seconds=300.0),
        ran("ours", seconds_to_99=50),
    ]

    speed, _ = rows("v2", runs)

    assert speed.ratio == "at least 6.0×"
    assert speed.reference == "–; 1 of 1 not reached"


def test_a_run_of_ours_that_never_gets_there_counts_as_no_speed_at_all() -> None:
    speed, _ = rows("v2", [ran("reference"), ran("ours", seconds_to_99=None)])

    assert speed.ratio == "0.0×"
    assert speed.reached is False


def test_a_run_that_did_not_learn_counts_as_nothing_right() -> None:
    runs = [
        ran("ours", 0, limit_images=25, exact=93),
        ran("ours", 1, limit_images=25, exact=0, failure="did_not_learn: nothing"),
    ]

    [row] = rows("labels", runs)

    assert row.what.startswith("V2, 25 labels")
    assert row.ours == "50.0 % (0.0 % to 100.0 %)"
    assert (row.target, row.reached) == ("≥ 88 %", False)


def test_memory_and_time_of_many_images_stand_beside_those_of_few() -> None:
    few = ran(
        "ours",
        set="1,000 images",
        train_images=800,
        validation_images=100,
        test_images=100,
        epochs=100,
        peak_bytes=900_000_000,
        check_seconds=2,
        fit_seconds=158,
    )
    many = ran(
        "ours",
        set="100,000 images",
        train_images=80_000,
        validation_images=10_000,
        test_images=10_000,
        epochs=1,
        peak_bytes=1_890_000_000,
        check_seconds=40,
        fit_seconds=160,
    )

    memory, time = rows("scale", [few, many])

    assert (memory.ours, memory.ratio, memory.reached) == (
        "1.89 GB",
        "10,000 bytes per further image",
        True,
    )
    assert (time.reference, time.ours, time.ratio) == ("2.00 ms", "2.50 ms", "1.25×")
    assert time.reached is False


def test_a_part_that_was_broken_off_shows_the_rows_that_it_has() -> None:
    assert rows("v2", [ran("reference")]) == []
    assert rows("scale", [ran("ours")]) == []


def test_two_that_never_get_there_are_no_bound() -> None:
    runs = [ran("reference", seconds_to_99=None), ran("ours", seconds_to_99=None)]

    assert rows("v2", runs)[0].ratio == "0.0×"
