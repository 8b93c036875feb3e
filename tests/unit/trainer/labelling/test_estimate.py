"""The estimate of how right proposals are: what it tells, and that its interval is honest."""

import numpy as np
import pytest

from trainer.labelling.estimate import FEWEST, JOINED, Confirmation, calibrated, estimate


def world(
    seed: int, level: float, *, shift: float = 0.0, slope: float = 1.0, ahead: float = 0.0
) -> tuple[list[Confirmation], list[float], float]:
    """Return 25 answers in random order and further ones of little confidence, the confidences of
    the other images, and the share of those that is right.

    level: mean log odds of a proposal to be right; shift, slope: what the confidences' differ by;
    ahead: how much lower those of the answers are.
    """
    chance = np.random.default_rng(seed)
    odds = chance.normal(level, 2.5, 850)
    drawn = chance.random(850)
    right = drawn < 1 / (1 + np.exp(-odds))
    answered = drawn < 1 / (1 + np.exp(ahead - odds))
    confidences = 1 / (1 + np.exp(-np.clip((odds - shift) / slope, -12, 12)))
    doubted = 25 + np.argsort(confidences[25:] + chance.normal(0, 0.2, 825))
    taught, rest = doubted[:25], doubted[25:]
    answers = [Confirmation(confidences[i], bool(answered[i]), random=True) for i in range(25)]
    answers += [Confirmation(confidences[i], bool(answered[i]), random=False) for i in taught]
    return answers, confidences[rest].tolist(), float(right[rest].mean())


@pytest.mark.parametrize(
    ("level", "shift", "slope"),
    [(3.0, 0.0, 1.0), (4.0, 1.0, 1.0), (4.0, -1.0, 1.0), (3.0, 0.0, 2.0), (3.0, 0.0, 0.6)],
    ids=["calibrated", "too modest", "too sure", "too steep", "too flat"],
)
def test_the_interval_holds_what_is_true_in_ninety_of_a_hundred_worlds(
    level: float, shift: float, slope: float
) -> None:
    held = 0
    for seed in range(100):
        answers, others, true = world(seed, level, shift=shift, slope=slope)
        told = estimate(answers, others, len(others))
        assert told is not None
        held += told.low <= true <= told.high
    assert held >= 90


@pytest.mark.parametrize("ahead", [0.0, 0.5, 1.0])
def test_it_does_so_too_where_the_networks_together_are_ahead_of_each(ahead: float) -> None:
    held = 0
    for seed in range(100):
        answers, others, true = world(seed, 4.0, ahead=ahead)
        told = estimate(answers, others, len(others), JOINED)
        assert told is not None
        held += told.low <= true <= told.high
    assert held >= 90


def test_confident_networks_need_fewer_answers_than_counting() -> None:
    answers, others, _ = world(0, 5.0)
    told = estimate(answers, others, len(others))
    assert told is not None
    assert told.high - told.low <= 0.12  # of 50 answers all right, Wilson's interval has 0.07


def test_answers_of_chosen_images_alone_tell_nothing() -> None:
    answers = [Confirmation(0.9, True, random=False)] * 100
    answers += [Confirmation(0.9, True, random=True)] * (FEWEST - 1)
    assert estimate(answers, [0.9], 1) is None


def test_hard_images_that_were_chosen_do_not_pull_the_estimate_down() -> None:
    random = [Confirmation(0.95, True, random=True)] * 30
    chosen = [Confirmation(0.95, False, random=False)] * 10
    told = estimate(random + chosen, [0.95] * 500, 500)
    counted = estimate(random + [Confirmation(0.95, False, random=True)] * 10, [0.95] * 500, 500)
    assert told is not None
    assert counted is not None
    assert told.accuracy > counted.accuracy + 0.05


def test_more_labels_are_asked_for_the_more_is_wrong_and_none_at_98() -> None:
    sure = [Confirmation(0.99, True, random=True)] * 200
    done = estimate(sure, [0.99] * 100, 100)
    assert done is not None
    assert done.more_for_98 == 0
    asked = []
    for wrong in (2, 4, 8):
        answers = [Confirmation(0.9, place >= wrong, random=True) for place in range(40)]
        told = estimate(answers, [0.9] * 5000, 5000)
        assert told is not None
        assert told.more_for_98 is not None
        asked.append(told.more_for_98)
    assert asked == sorted(asked)
    assert asked[0] > 0


def test_few_doubtful_images_are_corrected_sooner_than_learned() -> None:
    answers = [Confirmation(0.97, True, random=True)] * 100 + [
        Confirmation(0.03, False, random=True)
    ] * 10
    told = estimate(answers, [0.97] * 950 + [0.03] * 50, 1000)
    assert told is not None
    assert told.more_for_98 is not None
    assert told.more_for_98 <= 50


def test_a_proposal_is_as_sure_as_such_proposals_were_right() -> None:
    answers = [Confirmation(0.9, place % 2 == 0, random=True) for place in range(100)]
    [sure] = calibrated(answers, [0.9])
    assert 0.45 < sure < 0.62
    assert calibrated([], [0.8])[0] == pytest.approx(0.8, abs=0.08)
