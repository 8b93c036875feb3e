from dataclasses import replace
from pathlib import Path

import pytest

from shared.api.jobs import Progress
from tests.support.labelled_images import labelled_zip, texts
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.training.checkpoint import State, load, save
from trainer.pipeline.training.diagnosis import diagnose, did_not_learn, no_better_than_chance
from trainer.pipeline.training.results import Validation
from trainer.schemas.job_request import JobRequest

EMPTY = Validation(exact_match=0.0, loss=16.3, cer=1.0, all_empty=True)
LABELS = texts(60)
PREDICTION = Validation(exact_match=0.5, loss=1.0, cer=0.1, all_empty=False)


def after(losses: list[float], best: Validation) -> State:
    history = [
        Progress(
            epoch=epoch,
            epochs=50,
            loss=loss,
            validation_loss=loss,
            exact_match=best.exact_match,
            images_per_second=100,
            seconds=epoch,
            seconds_left=0,
        )
        for epoch, loss in enumerate(losses, 1)
    ]
    return State(weights=[], best_weights=[], best=best, history=history)


def test_a_run_that_gives_nothing_but_blanks_for_long_is_dead() -> None:
    assert diagnose(after([16.3] * 29, EMPTY), 50) is None
    assert "empty text for every image" in str(diagnose(after([16.3] * 30, EMPTY), 50))
    assert diagnose(after([16.3] * 99, EMPTY), 15) is None  # few steps, though many epochs


def test_a_run_that_reads_something_is_not_dead() -> None:
    assert diagnose(after([5.0] * 40, PREDICTION), 50) is None


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_deadly(loss: float) -> None:
    assert f"loss is {loss}" in str(diagnose(after([3.0, loss], PREDICTION), 50))


def test_a_loss_that_goes_up_and_stays_up_is_deadly_but_one_bad_epoch_is_not() -> None:
    assert diagnose(after([3.0, 1.0, 9.0, 1.1], PREDICTION), 50) is None
    assert diagnose(after([3.0, 0.02, 0.06, 0.07, 0.06], PREDICTION), 50) is None
    assert "went up from 1.00 to 9.00" in str(
        diagnose(after([3.0, 1.0, 8.0, 8.0, 9.0], PREDICTION), 50)
    )


def test_what_reads_no_text_and_hardly_a_character_is_of_no_use() -> None:
    assert no_better_than_chance(EMPTY, LABELS)
    assert not no_better_than_chance(PREDICTION, LABELS)
    assert not no_better_than_chance(
        replace(PREDICTION, exact_match=0.0, cer=0.3), LABELS
    )  # long lines


def test_what_is_right_no_oftener_than_by_chance_is_of_no_use() -> None:
    guessing = Validation(exact_match=1 / 3, loss=3.0, cer=0.6, all_empty=False)
    assert no_better_than_chance(guessing, ["0", "1"] * 24)
    assert not no_better_than_chance(guessing, LABELS)


def loaded(tmp_path: Path, labels: list[str], size: tuple[int, int] = (64, 32)) -> Dataset:
    return load_dataset(labelled_zip(tmp_path / "set.zip", labels, size), JobRequest())


def test_the_diagnosis_names_what_the_figures_point_to(tmp_path: Path) -> None:
    best = after([16.3], EMPTY).best
    many_characters = [chr(0x4E00 + 2 * i) + chr(0x4E01 + 2 * i) for i in range(20)]
    error = did_not_learn(loaded(tmp_path, many_characters), best, 1)
    assert "character error rate 100%" in error.message
    assert "Too few images for the characters" in error.hint
    assert "too small" in did_not_learn(loaded(tmp_path, texts(60), (30, 10)), best, 1).hint
    late = did_not_learn(loaded(tmp_path, texts(60)), best, 1, 1)
    assert "1 start, 1 epoch until the time limit" in late.message
    assert "may not match" in did_not_learn(loaded(tmp_path, texts(60)), best, 1).hint


def test_a_checkpoint_is_taken_up_by_the_same_run_only(tmp_path: Path) -> None:
    state = after([2.0, 1.0], PREDICTION)
    state.restarts, state.seconds, state.seconds_to = 1, 12.5, {"0.95": 3.0, "0.99": None}
    save(tmp_path, state, "run a")
    assert load(tmp_path, "run b") is None
    assert load(tmp_path, "run a") == state


def test_empty_texts_alone_are_of_no_use_where_some_images_have_nothing_to_read() -> None:
    dead = Validation(exact_match=0.4, loss=9.0, cer=1.0, all_empty=True)
    assert no_better_than_chance(dead, [*LABELS, *[""] * 20])
