"""Which of two networks wins."""

import numpy as np
import pytest

from trainer.pipeline.search.race import ENOUGH, surely_better
from trainer.pipeline.training.results import Validation


def validation(losses: list[float], edits: list[int]) -> Validation:
    return Validation(0.5, float(np.mean(losses)), 0.1, False, losses=losses, edits=edits)


def few(gain: float) -> tuple[Validation, Validation]:
    """Two networks on 20 images; the slower one's losses are lower by so much, give or take 1."""
    noise = np.random.default_rng(0).normal(0, 1, 20)
    return validation((3 - gain + noise).tolist(), [0] * 20), validation([3.0] * 20, [1] * 20)


@pytest.mark.parametrize(("gain", "wins"), [(1.5, True), (0.1, False), (-1.0, False)])
def test_few_images_are_decided_by_their_losses(gain: float, wins: bool) -> None:
    assert surely_better(*few(gain)) is wins


@pytest.mark.parametrize(("wrong", "wins"), [(2, True), (17, False), (20, False), (30, False)])
def test_many_are_decided_by_their_texts(wrong: int, wins: bool) -> None:
    # The losses say the opposite: one image alone can have as much as all others.
    images = 2 * ENOUGH
    slower = validation([9.0] * images, [1] * wrong + [0] * (images - wrong))
    faster = validation([1.0] * images, [1] * 20 + [0] * (images - 20))
    assert surely_better(slower, faster) is (wins and wrong < 20)


def test_one_image_proves_nothing() -> None:
    assert not surely_better(validation([0.0], [0]), validation([9.0], [5]))
