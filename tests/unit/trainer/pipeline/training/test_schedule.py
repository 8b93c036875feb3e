import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.jobs import Progress
from trainer.pipeline.training.schedule import (
    DECAY_SHARE,
    FINISH_SHARE,
    MIN_DECAY_STEPS,
    MIN_FINISH_STEPS,
    MIN_STEPS,
    Decay,
    decay_from,
    expected_end,
    finish_steps,
    hurried,
    improves,
    planned,
)


def history(losses: list[float], cers: list[float] | None = None) -> list[Progress]:
    return [
        Progress(
            epoch=epoch,
            epochs=100,
            loss=loss,
            validation_loss=loss,
            exact_match=0.5,
            cer=cer,
            images_per_second=1,
            seconds=1,
            seconds_left=1,
        )
        for epoch, (loss, cer) in enumerate(
            zip(losses, cers or [0.5] * len(losses), strict=True), 1
        )
    ]


def test_the_rate_is_constant_and_then_falls_to_almost_nothing() -> None:
    decay = Decay(100, 200)
    factors = [decay.factor(step) for step in range(200)]
    assert factors[:101] == [1.0] * 101
    assert all(one > other > 0 for one, other in itertools.pairwise(factors[100:]))
    assert factors[125] == pytest.approx(0.5)
    assert factors[-1] < 0.01


def test_a_small_set_gets_a_real_decay_and_a_large_one_a_share() -> None:
    assert decay_from(400) == Decay(400, 400 + MIN_DECAY_STEPS)
    assert decay_from(100_000) == Decay(100_000, round(100_000 * (1 + DECAY_SHARE)))


def test_epochs_that_are_given_end_with_the_decay() -> None:
    assert planned(1000, decays=True) == Decay(800, 1000)
    constant = planned(1000, decays=False)
    assert constant.end == 1000
    assert {constant.factor(step) for step in range(1000)} == {1.0}
    assert planned(1, decays=True).factor(0) == 1.0


def test_training_goes_on_while_the_loss_falls() -> None:
    assert improves(history([1 / epoch for epoch in range(1, 31)]))
    assert improves(history([5.0] * 20 + [4.0] * 10))
    assert not improves(history([5.0] * 20 + [4.9] * 10))


def test_a_noisy_loss_is_judged_by_the_best_of_a_window() -> None:
    assert improves(history([5.0] * 20 + [9.0] * 9 + [4.0]))
    assert not improves(history([5.0] * 10 + [3.0] + [5.0] * 19))


def test_a_loss_of_almost_nothing_need_not_become_smaller() -> None:
    assert improves(history([0.03] * 20 + [0.001] * 10))
    assert not improves(history([0.01] * 20 + [0.001] * 10))


def test_training_goes_on_while_the_errors_become_fewer() -> None:
    flat = [1.0] * 30
    assert improves(history(flat, [0.1] * 20 + [0.05] * 10))
    assert not improves(history(flat, [0.1] * 30))
    assert not improves(history([0.0] * 30, [0.0] * 30))


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_nothing_to_compare_at_first(count: int) -> None:
    assert improves(history([1.0] * count)) is (count == 1)


@given(
    st.none() | st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)),
    st.integers(0, 10**6),
)
def test_a_finish_ends_soon_and_never_later_and_never_makes_the_rate_jump_up(
    planned_decay: tuple[int, int] | None, step: int
) -> None:
    before = planned_decay and Decay(planned_decay[0], sum(planned_decay))
    if before is not None and step >= before.end:
        return  # it is over
    after = hurried(before, step, finish_steps(step))
    soon = step + max(MIN_FINISH_STEPS, round(FINISH_SHARE * step))
    assert step < after.end <= min(soon, before.end if before else soon)
    rate = before.factor(step) if before else 1.0
    assert after.factor(step) == pytest.approx(rate)
    assert hurried(after, step + 1, finish_steps(step + 1)) == after


def test_the_expected_end_is_known_once_the_rate_falls() -> None:
    assert expected_end(Decay(5, 50), 10, characters=30) == 50


def test_before_that_it_is_a_guess_by_the_characters_and_the_steps_so_far() -> None:
    digits, words, more, most = (expected_end(None, 10, count) for count in (2, 30, 100, 1000))
    assert MIN_STEPS < digits < words < more < most
    assert expected_end(None, 10_000, characters=30) > 10_000
