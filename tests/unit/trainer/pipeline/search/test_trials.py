"""How the trials of a search are kept, limited and compared; nothing is trained here."""

import pytest

from shared.api.jobs import Progress, TrialStatus
from tests.support.jobs.observer import Recorder
from trainer.pipeline.search.trials import MAX_STARTS, StoppedTrialError, TrialTable
from trainer.schemas.job_request import JobRequest
from trainer.schemas.trial import TrialList, TrialRecord, score

SEARCH = {"parameters": {"augmentation": {"low": 0, "high": 2}}, "trials": 3}


def table(log: TrialList, recorder: Recorder | None = None, **changes: object) -> TrialTable:
    request = JobRequest.model_validate({"search": SEARCH | changes})
    assert request.search is not None
    return TrialTable(request, request.search, recorder or Recorder(), log)


def begun(trials: TrialTable) -> TrialRecord:
    record = trials.begin()
    assert record is not None
    return record


def epoch(number: int, exact_match: float = 0.5, **figures: float) -> Progress:
    defaults = {"cer": 0.2, "validation_loss": 1.0, "seconds": 6.0 * number, "loss": 1.0}
    return Progress(
        epoch=number,
        epochs=10,
        exact_match=exact_match,
        images_per_second=1,
        seconds_left=6.0 * (10 - number),
        **defaults | figures,
    )


def train(trials: TrialTable, exact_match: float = 0.5, **figures: float) -> TrialRecord:
    record = begun(trials)
    for number in range(1, 11):
        trials.epoch(record, epoch(number, exact_match * number / 10, **figures))
    trials.finish(record)
    return record


def test_each_step_of_a_trial_is_kept_and_told() -> None:
    log, recorder = TrialList(), Recorder()
    trials = table(log, recorder)
    record = begun(trials)
    (kept,) = log.trials()
    assert (kept.number, kept.status, kept.parameters) == (1, "running", record.parameters)
    trials.epoch(record, epoch(1, 0.6))
    trials.epoch(record, epoch(2, 0.4))
    (kept,) = log.trials()
    assert (kept.exact_match, kept.epochs, kept.seconds) == (0.6, 2, 12)
    trials.finish(record)
    assert log.trials()[0].status is TrialStatus.FINISHED
    assert [message for _, message in recorder.events] == [
        f"Trial 1 of up to 3: augmentation {record.parameters['augmentation']:.3g}.",
        "Trial 1 is finished: 60.0% exact match on validation.",
    ]


def test_no_more_trials_begin_than_were_asked_for() -> None:
    trials = table(TrialList())
    assert [train(trials).number for _ in range(3)] == [1, 2, 3]
    assert trials.begin() is None


def test_the_minutes_are_for_all_trials_together() -> None:
    trials = table(TrialList(), max_minutes=1.5)
    assert train(trials).max_minutes == 1.5  # and it took one
    second = begun(trials)
    assert second.max_minutes == 0.5
    assert trials.request_of(second).hyperparameters.max_minutes == 0.5
    trials.epoch(second, epoch(5))
    trials.finish(second)
    assert trials.begin() is None


def test_a_trials_request_is_the_jobs_with_what_was_chosen() -> None:
    log = TrialList()
    values = {"preset": {"choices": ["crnn"]}, "epochs": {"choices": [7]}}
    request = JobRequest.model_validate(
        {
            "model": "m",
            "hyperparameters": {"width": 64, "max_minutes": 3},
            "search": {"parameters": values, "max_minutes": 5},
        }
    )
    assert request.search is not None
    trials = TrialTable(request, request.search, Recorder(), log)
    asked = JobRequest.model_validate(
        {
            "model": "m",
            "preset": "crnn",
            "hyperparameters": {"width": 64, "max_minutes": 3, "epochs": 7},
        }
    )
    assert trials.request_of(begun(trials)) == asked


def test_the_best_is_the_finished_one_with_the_highest_exact_match_then_cer_then_loss() -> None:
    trials = table(TrialList(), trials=10)
    assert trials.best is None
    figures = ((0.5, 0.1, 0.1), (0.6, 0.3, 0.1), (0.6, 0.2, 1.0), (0.6, 0.2, 0.5), (0.6, 0.2, 0.5))
    for exact_match, cer, loss in figures:
        train(trials, exact_match, cer=cer, validation_loss=loss)
    stopped = begun(trials)
    trials.epoch(stopped, epoch(1, 0.9))
    trials.stop(stopped)
    assert trials.best is not None and trials.best.number == 4


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_worse_than_any(loss: float) -> None:
    assert score(0.5, 0.2, loss) < score(0.5, 0.2, 100.0) < score(0.5, 0.2, 1.0)


def test_a_trial_behind_the_others_is_stopped() -> None:
    trials = table(TrialList(), trials=4)
    for _ in range(3):
        train(trials, 0.8)
    record = begun(trials)
    with pytest.raises(StoppedTrialError):
        for number in range(1, 11):
            trials.epoch(record, epoch(number, 0.4 * number / 10))
    assert 1 < record.epochs < 10


def test_the_time_left_is_that_of_the_whole_search() -> None:
    recorder = Recorder()
    trials = table(TrialList(), recorder)
    trials.epoch(begun(trials), epoch(5))
    assert recorder.epochs[-1].seconds_left == 30 + 2 * 60
    trials = table(TrialList(), recorder, max_minutes=1)
    trials.epoch(begun(trials), epoch(5))
    assert recorder.epochs[-1].seconds_left == 30 + 30


def test_epochs_without_a_validation_count_as_the_next_that_has_one() -> None:
    trials = table(TrialList())
    record = begun(trials)
    for number in (3, 6, 6):  # a resumed trial validates the same epoch again
        trials.epoch(record, epoch(number, number / 10))
    low, high = record.scores[0], record.scores[-1]
    assert low < high
    assert record.scores == [low] * 3 + [high] * 3


def test_a_search_that_should_finish_begins_no_more_trials() -> None:
    recorder = Recorder(finish_after=1)
    trials = table(TrialList(), recorder)
    first = begun(trials)
    recorder.checkpoint()
    trials.epoch(first, epoch(5))
    assert recorder.epochs[-1].seconds_left == 30
    trials.finish(first)
    assert trials.begin() is None


def test_a_search_that_should_finish_goes_on_with_the_trial_that_was_cut_off() -> None:
    log = TrialList()
    train(first := table(log))
    cut_off = begun(first)
    trials = table(log, Recorder(finish_after=0))
    assert begun(trials).number == cut_off.number
    assert trials.begin() is None


def test_a_search_that_should_finish_before_its_first_trial_has_one() -> None:
    trials = table(TrialList(), Recorder(finish_after=0))
    assert begun(trials).number == 1
    assert trials.begin() is None


def test_a_later_attempt_goes_on_with_the_trial_that_was_cut_off() -> None:
    log = TrialList()
    trials = table(log)
    train(trials)
    trials.epoch(cut_off := begun(trials), epoch(1, 0.1))
    trials.epoch(cut_off, epoch(2, 0.3))

    again = table(log)
    record = begun(again)
    assert (record.number, record.parameters) == (2, cut_off.parameters)
    again.epoch(record, epoch(2, 0.2))  # the checkpoint had the first epoch only
    assert (record.epochs, len(record.scores)) == (2, 2)
    again.finish(record)
    assert train(again).number == 3
    assert again.begin() is None


def test_a_trial_in_which_the_process_dies_again_and_again_fails_and_the_search_goes_on() -> None:
    log = TrialList()
    train(table(log))
    for _ in range(MAX_STARTS):
        assert begun(table(log)).number == 2
    trials = table(log)
    assert begun(trials).number == 3
    second = log.trials()[1]
    assert second.status is TrialStatus.FAILED
    assert second.error is not None and "memory" in second.error


def test_a_trial_that_gets_on_between_cuts_goes_on() -> None:
    log = TrialList()
    for number in range(1, MAX_STARTS + 3):
        trials = table(log)
        trials.epoch(record := begun(trials), epoch(number))
        assert record.number == 1
