import pytest

from trainer.pipeline.starter.schedule import DECAY_SHARE, WARM_UP_STEPS, Length


def test_the_rate_rises_stays_and_falls_to_nothing_over_the_last_fifth() -> None:
    length = Length(steps=10_000, minutes=None)
    factors = [length.factor(step, 0.0) for step in range(10_000)]
    assert factors[0] == pytest.approx(1 / WARM_UP_STEPS)
    decay = round((1 - DECAY_SHARE) * 10_000)
    assert min(factors[WARM_UP_STEPS : decay + 1]) == pytest.approx(1)
    assert factors[(decay + 10_000) // 2] == pytest.approx(0.5)
    assert 0 < factors[-1] < 0.001


def test_what_comes_first_ends_the_training() -> None:
    length = Length(steps=1000, minutes=10.0)
    assert length.share(100, 540.0) == pytest.approx(0.9)
    assert length.share(950, 60.0) == pytest.approx(0.95)
    assert length.factor(1000, 660.0) == 0
