"""Shares of unsure predictions and unseen sizes by hour, over all workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from predictor.models.engine import low_confidence_threshold
from shared.store.manifest import Calibration, ImageSizes, Threshold
from tests.support.api.metrics import labels_of, sample
from tests.support.models.bundles import calibration
from tests.support.paths import ROOT

HOUR = 490_000


def worker(folder: Path, *lines: str) -> str:
    """Run lines in a process of its own that counts in a folder of all workers."""
    script = "\n".join(["from predictor.telemetry import drift, metrics", *lines])
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def page(folder: Path, hour: int) -> str:
    """Return the metrics as a worker that has counted nothing tells them in an hour."""
    return worker(
        folder,
        f"drift.this_hour = lambda: {hour}",
        "print(metrics.exposition()[0].decode(), end='')",
    )


def share(page: str, what: str, hour: str) -> float:
    return sample(page, f"readsmith_{what}_share", model="m", hour=hour)


def test_shares_are_those_of_all_workers_in_the_running_hour_and_the_last(tmp_path: Path) -> None:
    worker(
        tmp_path,
        f"drift.count('m', 10, 5, 0, hour={HOUR})",
        f"drift.count('m', 10, 0, 1, hour={HOUR + 1})",
    )
    worker(tmp_path, f"drift.count('m', 10, 1, 2, hour={HOUR})")
    told = page(tmp_path, HOUR + 1)
    assert share(told, "low_confidence", "last") == 0.3
    assert share(told, "unseen_size", "last") == 0.1
    assert share(told, "low_confidence", "running") == 0
    assert share(told, "unseen_size", "running") == 0.1
    assert "hour_counts" not in told


def test_hours_pass_even_for_workers_that_read_nothing(tmp_path: Path) -> None:
    worker(tmp_path, f"drift.count('m', 10, 5, 0, hour={HOUR})")
    name = "readsmith_low_confidence_share"
    assert [each["hour"] for each in labels_of(page(tmp_path, HOUR), name)] == ["running"]
    assert [each["hour"] for each in labels_of(page(tmp_path, HOUR + 1), name)] == ["last"]
    assert labels_of(page(tmp_path, HOUR + 2), name) == []


def test_an_hour_begins_at_nothing_in_the_place_of_the_one_before_the_last(tmp_path: Path) -> None:
    worker(
        tmp_path,
        f"drift.count('m', 10, 10, 10, hour={HOUR})",
        f"drift.count('m', 4, 1, 0, hour={HOUR + 2})",
    )
    told = page(tmp_path, HOUR + 2)
    assert share(told, "low_confidence", "running") == 0.25
    assert share(told, "unseen_size", "running") == 0


def measured(*rows: tuple[float, float]) -> Calibration:
    """Return a calibration with thresholds and their shares of wrong predictions."""
    thresholds = [
        Threshold(threshold=at, images=9, accepted=0.9, wrong=wrong, wrong_interval=(0, 1))
        for at, wrong in rows
    ]
    return calibration().model_copy(update={"thresholds": tuple(thresholds)})


@pytest.mark.parametrize(
    ("known", "threshold"),
    [
        (None, 0.5),
        (measured((0.0, 0.0)), 0.5),
        (measured((0.0, 0.08), (0.7, 0.02), (0.9, 0.01), (0.95, 0.0)), 0.9),
        (measured((0.0, 0.08), (0.7, 0.05)), 0.5),
    ],
    ids=["not measured", "never wrong", "rarely wrong from 0.9", "often wrong"],
)
def test_a_prediction_is_sure_from_where_the_model_was_rarely_wrong(
    known: Calibration | None, threshold: float
) -> None:
    assert low_confidence_threshold(known) == threshold


def test_sizes_are_seen_up_to_a_tenth_outside_the_range() -> None:
    sizes = ImageSizes.of([(100, 50), (200, 40)])
    assert sizes == ImageSizes(widths=(100, 200), heights=(40, 50))
    for size in [(100, 40), (150, 45), (90, 36), (220, 55)]:
        assert sizes.hold(size)
    for size in [(89, 45), (221, 45), (150, 35), (150, 56)]:
        assert not sizes.hold(size)
