"""Which parameters trials get, and which of them are stopped; nothing is trained here."""

from shared.api.jobs import TrialStatus
from trainer.pipeline.search.study import PRUNER_WARMUP_SHARE, Study
from trainer.schemas.search_request import Search
from trainer.schemas.trial import TrialRecord

EPOCHS = 10
SEARCH = Search.model_validate(
    {
        "parameters": {
            "learning_rate": {"low": 0.0001, "high": 0.1, "log": True},
            "augmentation": {"low": 0, "high": 2},
            "batch_size": {"low": 4, "high": 64, "log": True},
            "width": {"low": 64, "high": 128},
            "preset": {"choices": ["conv", "crnn"]},
        },
    }
)


def ask(study: Study) -> TrialRecord:
    asked = study.ask()
    assert asked is not None
    number, parameters = asked
    return TrialRecord(number=number, parameters=parameters)


def end(study: Study, record: TrialRecord, level: float, status: TrialStatus) -> TrialRecord:
    record.scores = [level * (epoch + 1) / EPOCHS for epoch in range(EPOCHS)]
    record.status = status
    study.tell(record)
    return record


def worth(record: TrialRecord) -> float:
    """As if the smallest rates read best."""
    return 1 - float(record.parameters.get("learning_rate", 0)) * 10


def searched(study: Study, count: int) -> list[TrialRecord]:
    """Run trials of which every fourth fails."""
    ended = []
    for _ in range(count):
        record = ask(study)
        status = TrialStatus.FAILED if record.number % 4 == 0 else TrialStatus.FINISHED
        ended.append(end(study, record, worth(record), status))
    return ended


def test_parameters_stay_in_their_ranges_and_have_their_types() -> None:
    for record in searched(Study(SEARCH, seed=1), 30):
        parameters = record.parameters
        assert 0.0001 <= float(parameters["learning_rate"]) <= 0.1
        assert 0 <= float(parameters["augmentation"]) <= 2
        assert isinstance(parameters["batch_size"], int) and 4 <= parameters["batch_size"] <= 64
        assert isinstance(parameters["width"], int) and parameters["width"] % 4 == 0
        assert parameters["preset"] in ("conv", "crnn")


def test_what_reads_better_is_tried_more_often() -> None:
    first, *_, last = (
        searched(Study(SEARCH, seed=1), 30)[part] for part in (slice(5), slice(-5, None))
    )
    assert sum(map(worth, last)) > sum(map(worth, first))


def test_the_same_seed_asks_the_same_questions_and_another_seed_others() -> None:
    one, same, other = (searched(Study(SEARCH, seed), 8) for seed in (1, 1, 2))
    assert one == same
    assert [record.parameters for record in one] != [record.parameters for record in other]


def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been() -> None:
    whole = searched(Study(SEARCH, seed=1), 12)
    study = Study(
        SEARCH, 1, [TrialRecord.model_validate_json(r.model_dump_json()) for r in whole[:7]]
    )
    assert searched(study, 5) == whole[7:]


def test_trials_that_were_cut_off_come_first_with_their_numbers() -> None:
    first, second, third = searched(Study(SEARCH, seed=1), 3)
    cut_off = [one.model_copy(update={"status": TrialStatus.RUNNING}) for one in (first, third)]
    study = Study(SEARCH, 1, [cut_off[0], second, cut_off[1]])
    assert [study.ask() for _ in range(2)] == [(1, first.parameters), (3, third.parameters)]
    assert ask(study).number == 4


def test_nothing_is_tried_twice_and_a_search_through_all_there_is_ends() -> None:
    choices = {"preset": {"choices": ["conv", "crnn"]}, "batch_size": {"low": 4, "high": 6}}
    study = Study(Search.model_validate({"parameters": choices}), seed=1)
    records = searched(study, 6)
    assert len({str(record.parameters) for record in records}) == 6
    assert study.ask() is None


def epochs_until_stopped(study: Study, record: TrialRecord, level: float) -> int | None:
    for epoch in range(1, EPOCHS + 1):
        record.scores.append(level * epoch / EPOCHS)
        if study.should_prune(record, EPOCHS):
            return epoch
    return None


def test_a_trial_behind_the_median_is_stopped_once_enough_have_been_trained_and_it_was_spared() -> (
    None
):
    study = Study(SEARCH, seed=1)
    for level in (0.9, 0.5, 0.1):
        record = ask(study)
        assert epochs_until_stopped(study, record, level) is None
        end(study, record, level, TrialStatus.FINISHED)
    assert epochs_until_stopped(study, ask(study), 0.4) == PRUNER_WARMUP_SHARE * EPOCHS + 1
    assert epochs_until_stopped(study, ask(study), 0.6) is None


def test_a_trial_that_was_cut_off_is_compared_by_all_its_epochs() -> None:
    earlier = searched(Study(SEARCH, seed=1), 5)
    running = earlier[-1].model_copy(update={"status": TrialStatus.RUNNING, "scores": [0.01] * 3})
    study = Study(SEARCH, 1, [*earlier[:-1], running])
    study.ask()
    assert study.should_prune(running, EPOCHS)
