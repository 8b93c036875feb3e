"""The order in which images teach most."""

import numpy as np
from numpy.typing import NDArray

from trainer.labelling.order import PICKED, informative

NOTHING = np.empty((0, 2), np.float32)


def order(scores: NDArray[np.float64]) -> list[int]:
    return [int(place) for place in np.argsort(-scores)]


def test_of_images_alike_the_one_in_doubt_comes_first() -> None:
    looks = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    seen = np.array([[0.5, 0.5]], np.float32)
    scores = informative(np.array([0.1, 0.9, 0.2, 0.3]), looks, seen)
    assert order(scores)[0] == 1


def test_of_images_doubted_alike_the_one_unlike_the_seen_comes_first() -> None:
    looks = np.array([[0, 0], [0.1, 0], [5, 5]], np.float32)
    scores = informative(np.full(3, 0.5), looks, np.array([[0, 0]], np.float32))
    assert order(scores)[0] == 2


def test_the_next_picks_are_of_other_kinds_than_those_before() -> None:
    """Ten images of a kind in great doubt, and one of each of two others."""
    looks = np.array([[0, 0.01 * n] for n in range(10)] + [[9, 9], [9, -9]], np.float32)
    doubts = np.array([0.9] * 10 + [0.4, 0.4])
    first = order(informative(doubts, looks, NOTHING))[:3]
    assert {10, 11} < set(first)


def test_scores_are_between_0_and_1_and_every_image_has_one() -> None:
    chance = np.random.default_rng(0)
    looks = chance.normal(size=(500, 8)).astype(np.float32)
    scores = informative(chance.random(500), looks, looks[:3])
    assert scores.shape == (500,)
    assert 0 <= scores.min() <= scores.max() <= 1
    assert len(set(scores[scores > 0.5].tolist())) == PICKED


def test_images_without_doubt_or_difference_are_scored_all_the_same() -> None:
    scores = informative(np.zeros(3), np.zeros((3, 2), np.float32), NOTHING)
    assert np.isfinite(scores).all()
