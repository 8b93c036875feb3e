from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.recognition.decoding import at_temperature
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.evaluation.calibration import (
    calibration_error,
    expected_calibration_error,
    fit_temperature,
    judge,
    thresholds,
)

VOCABULARY = Vocabulary("ab")


def honest(count: int, seed: int = 0) -> tuple[NDArray[np.float32], list[str]]:
    """Return outputs of one step, and truths that are as often right as the outputs say."""
    chance = np.random.default_rng(seed)
    sure = chance.uniform(0.5, 1.0, count)
    output = np.stack([sure, 1 - sure, np.full(count, 1e-9)], axis=1)[:, np.newaxis]
    truths = ["a" if right else "b" for right in chance.uniform(size=count) < sure]
    return output.astype(np.float32), truths


def error(output: NDArray[np.float32], truths: Sequence[str], temperature: float) -> float:
    return expected_calibration_error(judge(output, truths, VOCABULARY, temperature))


@pytest.mark.parametrize("wrong_temperature", [0.5, 2.0])
def test_the_temperature_undoes_too_much_and_too_little_confidence(
    wrong_temperature: float,
) -> None:
    output, truths = honest(2000)
    distorted = at_temperature(output, wrong_temperature)
    found = fit_temperature(distorted, truths, VOCABULARY)
    assert found == pytest.approx(1 / wrong_temperature, rel=0.2)
    assert error(distorted, truths, found) < error(distorted, truths, 1.0) / 3


def test_honest_confidences_are_left_alone() -> None:
    assert fit_temperature(*honest(2000), VOCABULARY) == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("count", [1, 5, 20])
def test_a_few_images_all_read_right_change_little(count: int) -> None:
    output = np.tile(np.array([[[0.8, 0.1, 0.1]]], np.float32), (count, 1, 1))
    assert 0.4 < fit_temperature(output, ["a"] * count, VOCABULARY) <= 1.0


def test_a_truth_held_for_impossible_does_not_break_the_fit() -> None:
    output = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    assert fit_temperature(output, ["b"], VOCABULARY) == 1.0


def test_the_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    sure_and_half_right = [(0.95, True), (0.95, False)] * 10
    assert expected_calibration_error(sure_and_half_right) == pytest.approx(0.45)
    assert expected_calibration_error([(1.0, True)] * 3) == 0.0
    assert expected_calibration_error([]) == 0.0


def test_gaps_of_different_bins_do_not_make_up_for_each_other() -> None:
    judged = [(0.9, False), (0.1, True)]
    assert expected_calibration_error(judged) == pytest.approx(0.9)
    assert calibration_error(judged, judged[:0]).images == 0


def test_the_first_threshold_accepts_everything() -> None:
    (everything,) = thresholds([(0.4, True), (0.9, True)])
    assert (everything.threshold, everything.images, everything.accepted) == (0.0, 2, 1.0)
    assert everything.wrong == 0.0
    assert everything.wrong_interval[1] > 0.5  # two images prove little


def test_a_threshold_keeps_its_share_of_wrong_predictions_and_as_many_images_as_it_can() -> None:
    judged = [(0.9, True)] * 60 + [(0.8, False)] + [(0.7, True)] * 38 + [(0.6, False)]
    rows = thresholds(judged)
    # All 100 keep 2 % (and so 5 %); without the last one 1 of 99 is just above 1 %.
    assert [(row.images, row.wrong) for row in rows] == [(100, 0.02), (60, 0.0)]
    assert rows[1].threshold == pytest.approx(0.85)
    assert rows[1].accepted == pytest.approx(0.6)


def test_equal_confidences_are_never_parted() -> None:
    rows = thresholds([(0.9, True)] * 30 + [(0.9, False)] * 30 + [(0.5, True)] * 40)
    assert [row.images for row in rows] == [100]


def test_every_threshold_does_what_its_row_says() -> None:
    chance = np.random.default_rng(0)
    judged = [(float(c), bool(chance.uniform() < c)) for c in chance.uniform(0.7, 1.0, 500)]
    rows = thresholds(judged)
    assert len(rows) > 2
    for row in rows:
        accepted = [right for confidence, right in judged if confidence >= row.threshold]
        assert row.images == len(accepted)
        assert row.wrong == pytest.approx(1 - sum(accepted) / len(accepted))
    assert list(rows) == sorted(rows, key=lambda row: row.threshold)


def test_no_predictions_have_no_thresholds() -> None:
    assert thresholds([]) == ()
