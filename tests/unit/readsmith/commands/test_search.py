"""How a search is asked for on the command line, and how its trials are shown."""

from pathlib import Path
from typing import Any

import pytest
import typer

from readsmith.options.job_request import job_request
from readsmith.options.search import search
from tests.support.commands import Run
from tests.support.services.scripted_api import serving
from tests.unit.readsmith.commands.test_jobs import JOB

TRIAL: dict[str, Any] = {
    "number": 1, "parameters": {"learning_rate": 0.00123456, "batch_size": 8},
    "status": "finished", "exact_match": 0.9, "cer": 0.02, "loss": 0.1, "epochs": 12,
    "seconds": 31.4, "error": None,
}  # fmt: skip


def test_ranges_and_choices_become_the_search_of_a_job() -> None:
    options = [
        "learning_rate=0.0005..0.005:log",
        "batch_size=8..32",
        "preset=conv,crnn",
        "standardize=true,false",
    ]
    request = job_request(None, search=search(options, 12, 30.0))
    assert request.search is not None
    assert request.search.model_dump(exclude_defaults=True) == {
        "parameters": {
            "learning_rate": {"low": 0.0005, "high": 0.005, "log": True},
            "batch_size": {"low": 8, "high": 32},
            "preset": {"choices": ["conv", "crnn"]},
            "standardize": {"choices": [True, False]},
        },
        "trials": 12,
        "max_minutes": 30.0,
    }


def test_without_the_option_nothing_is_searched() -> None:
    assert search(None, None, 5.0) is None
    assert search([], None, None) is None


@pytest.mark.parametrize(
    ("options", "trials", "message"),
    [
        (None, 3, "--trials goes with --search"),
        (["batch_size"], None, "names no values; write it like"),
        (["batch_size="], None, "names no values"),
        (["batch_size=1..2:exp"], None, "after a colon goes log"),
        (["batch_size=1..2", "batch_size=4,8"], None, "names a parameter twice"),
    ],
)
def test_what_cannot_be_understood_is_told_with_what_can(
    options: list[str] | None, trials: int | None, message: str
) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        search(options, trials, None)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("momentum=0..1", "momentum: Input should be 'augmentation'"),
        ("epochs=9..3", "epochs: low must be less than high"),
        ("learning_rate=a..b", "learning_rate: Input should be a valid"),
        ("width=30..50", "width: cannot be 30; it should be a multiple of 4"),
    ],
)
def test_a_search_that_cannot_be_is_wrong_usage_and_names_the_parameter(
    run: Run, tmp_path: Path, option: str, message: str
) -> None:
    result = run("train", tmp_path, "--search", option)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_jobs_trials_are_a_table_with_the_best_on_top(run: Run) -> None:
    better = TRIAL | {"number": 2, "exact_match": 0.95}
    stopped = TRIAL | {"number": 3, "status": "stopped", "exact_match": 0.99}
    failed = TRIAL | {"number": 4, "status": "failed", "exact_match": None, "cer": None}
    job = JOB | {"trials": [TRIAL, better, stopped, failed]}
    with serving(lambda *_: (200, job)) as url:
        text = run("jobs", "show", "job-1", "--url", url).stdout
    rows = [line.split()[0] for line in text.splitlines() if "0.00123" in line]
    assert rows == ["2", "1", "3", "4"]
    assert "95.0 %" in text
