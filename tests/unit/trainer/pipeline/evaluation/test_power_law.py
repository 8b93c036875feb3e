"""The forecast on points whose law is known."""

import pytest

from trainer.pipeline.evaluation.power_law import Forecast, Point, forecast


def points(*exact: int, images: int = 100_000) -> list[Point]:
    return [Point(100 * 2**i, right, images) for i, right in enumerate(exact)]


def certain(found: Forecast | None) -> Forecast:
    assert found is not None
    return found


def test_errors_that_halve_with_twice_the_labels_go_on_halving() -> None:
    found = certain(forecast(points(60_000, 80_000, 90_000)))

    assert found.labels == 800
    assert found.errors_left.value == pytest.approx(0.5, abs=0.01)
    assert found.exact_match.value == pytest.approx(0.95, abs=0.002)
    assert found.exact_match.low < 0.95 < found.exact_match.high


def test_few_test_images_leave_more_open_than_many() -> None:
    few = certain(forecast(points(60, 80, 90, images=100)))
    many = certain(forecast(points(6000, 8000, 9000, images=10_000)))

    assert few.errors_left.high - few.errors_left.low > 5 * (
        many.errors_left.high - many.errors_left.low
    )


def test_errors_that_stay_are_not_said_to_fall() -> None:
    found = certain(forecast(points(90, 90, 90, images=100)))

    assert found.errors_left.low < 1 < found.errors_left.high


def test_no_errors_at_all_leave_a_doubt() -> None:
    found = certain(forecast(points(99, 100, 100, images=100)))

    assert 0.97 < found.exact_match.low < found.exact_match.high <= 1


def test_a_run_on_the_plateau_does_not_count() -> None:
    [_, *learned] = points(0, 8000, 9000, images=10_000)

    assert forecast(points(0, 8000, 9000, images=10_000)) == forecast(learned)


def test_one_run_that_learned_tells_nothing() -> None:
    assert forecast(points(0, 0, 90, images=100)) is None
