"""The reckoning of docs/scaling.md, and the page that shows it."""

import json

import pytest

from benchmarks.capacity import MEASURED, Wanted, main, needed
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
TIMES = {"1×": 1, "10×": 10, "100×": 100, "10,000×": 10_000}


def of(times: float, **more: int) -> Wanted:
    return Wanted(predictions_per_second=100 * times, jobs_per_day=10 * times, **more)


def test_ten_times_the_predictions_take_ten_times_the_cores() -> None:
    assert needed(of(100)).predictor_cores == 10 * needed(of(10)).predictor_cores == 60


def test_images_that_come_together_take_fewer_cores_and_requests() -> None:
    one, many = needed(of(100)), needed(of(100, images_per_request=64))
    assert many.predictor_cores < one.predictor_cores / 2
    assert many.requests_per_second == pytest.approx(one.requests_per_second / 64, rel=0.01)


def test_small_sets_are_shown_as_often_as_is_allowed_and_large_ones_at_least_so_often() -> None:
    minutes = {n: needed(of(1, images_per_job=n)).core_minutes_per_job for n in (10, 1000, 100_000)}
    shown = {n: round(minutes[n] * 60 / MEASURED.shown / n) for n in minutes}
    assert shown[10] == pytest.approx(MEASURED.most_epochs, rel=0.2)
    assert shown[1000] == 60
    assert shown[100_000] == MEASURED.least_epochs


def test_a_set_that_is_streamed_takes_less_memory_than_one_that_is_held() -> None:
    held, streamed = needed(of(1, images_per_job=110_000)), needed(of(1, images_per_job=300_000))
    assert streamed.memory_per_job_gb < held.memory_per_job_gb / 2


@pytest.mark.parametrize("words", [["1e400"], ["-1"], ["nan"], ["many"]])
def test_a_rate_that_makes_no_sense_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--predictions-per-second", *words, "--jobs-per-day", "1"])
    said = capsys.readouterr().err
    assert "--predictions-per-second" in said
    assert "_" not in said.partition("error:")[2]


def test_it_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--predictions-per-second", "1000", "--jobs-per-day", "100", "--json"])
    assert json.loads(capsys.readouterr().out)["predictor_cores"] == 6


@pytest.mark.parametrize("name", TIMES)
def test_the_page_shows_what_the_reckoning_says(name: str) -> None:
    what = needed(of(TIMES[name]))
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| **{name}**"))
    assert f"{what.predictor_cores:,} cores" in row
    assert f"{what.training_cores:,} cores" in row
