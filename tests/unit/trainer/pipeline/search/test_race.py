"""Which of two networks wins, and when the second is not tried."""

from collections.abc import Sequence

import numpy as np
import pytest

from trainer.pipeline.search.race import ENOUGH, is_better, nothing_left
from trainer.pipeline.training.results import Validation


def validation(losses: Sequence[float], edits: Sequence[int]) -> Validation:
    mean = float(np.mean(losses))
    return Validation(0.5, mean, 0.1, False, losses=[*losses], edits=[*edits])


@pytest.mark.parametrize(("loss", "wins"), [(2.9, True), (3.0, False), (3.1, False)])
def test_few_images_are_decided_by_their_losses(loss: float, wins: bool) -> None:
    slower, faster = validation([loss] * 20, [2] * 20), validation([3.0] * 20, [1] * 20)
    assert is_better(slower, faster) is wins


@pytest.mark.parametrize(("wrong", "wins"), [(2, True), (19, True), (20, False), (30, False)])
def test_many_are_decided_by_their_texts(wrong: int, wins: bool) -> None:
    # The losses say the opposite: one image alone can have as much as all others.
    images = 2 * ENOUGH
    slower = validation([9.0] * images, [1] * wrong + [0] * (images - wrong))
    faster = validation([1.0] * images, [1] * 20 + [0] * (images - 20))
    assert is_better(slower, faster) is wins


@pytest.mark.parametrize(
    ("edits", "loss", "left"),
    [
        ([0] * 10, 0.05, False),
        ([0] * 9, 0.05, True),
        ([0] * 9 + [1], 0.05, True),
        ([0] * 10, 0.5, True),
    ],
)
def test_without_errors_and_doubt_nothing_is_left_to_gain(
    edits: list[int], loss: float, left: bool
) -> None:
    assert nothing_left(validation([loss] * len(edits), edits)) is not left
