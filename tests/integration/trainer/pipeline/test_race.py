"""A race between two networks, whose winner is trained on; one that was interrupted goes on."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import NotLearnedError
from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import labelled_zip, texts
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.search import race
from trainer.pipeline.search.race import train_best
from trainer.pipeline.training.results import Trained
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import CancelledRunError

EPOCHS = 10
REQUEST = JobRequest(
    preset="auto", hyperparameters=Hyperparameters(epochs=EPOCHS, height=32, width=64)
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = labelled_zip(tmp_path_factory.mktemp("set") / "set.zip", texts(60))
    return load_dataset(path, REQUEST)


@pytest.fixture
def raced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a starter for both, and any network do."""
    monkeypatch.setattr(race, "_can_race", lambda request: True)
    monkeypatch.setattr(race, "nothing_left", lambda validation: False)
    monkeypatch.setattr("trainer.pipeline.training.train.no_better_than_chance", _learned)


def _learned(*_: object) -> bool:
    return False


@pytest.mark.usefixtures("raced")
@pytest.mark.parametrize("winner", race.RACERS)
def test_the_winner_is_trained_on(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winner: str
) -> None:
    monkeypatch.setattr(race, "is_better", lambda slower, faster: winner == "conv-large")
    recorder = Recorder()
    request, trained = train_best(dataset, REQUEST, recorder, tmp_path)
    assert request.preset == winner
    assert trained.model.name == "reader"
    assert trained.epochs == EPOCHS
    assert trained.seconds == recorder.epochs[-1].seconds
    # One of the loser's before them, as epochs that are given let the rate fall from the first on.
    assert [progress.epoch for progress in recorder.epochs] == list(range(1, EPOCHS + 2))
    learned, told = [message for kind, message in recorder.events if kind == "race"]
    assert learned.startswith("conv has learned")
    assert told.startswith(f"{winner} goes on")
    resumed = [message for kind, message in recorder.events if kind == "resumed"]
    assert resumed
    # Neither lap was the whole training.
    assert "Resuming after epoch 10" not in resumed[0]


@pytest.mark.usefixtures("raced")
def test_an_interrupted_race_ends_as_if_it_had_not_been(dataset: Dataset, tmp_path: Path) -> None:
    (whole := tmp_path / "whole").mkdir()
    _, uncut = train_best(dataset, REQUEST.of_preset("conv"), Recorder(), whole)
    with pytest.raises(CancelledRunError):
        train_best(dataset, REQUEST, Recorder(cancel_after=12), tmp_path)
    request, resumed = train_best(dataset, REQUEST, Recorder(), tmp_path)
    if request.preset == "conv":
        assert resumed.epochs == uncut.epochs
        for progress, same in zip(resumed.history, uncut.history, strict=True):
            assert progress.validation_loss == same.validation_loss


def test_without_a_starter_for_both_the_smaller_is_trained(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.training.train.no_better_than_chance", _learned)
    request, _ = train_best(
        dataset, REQUEST.model_copy(update={"base": "none"}), Recorder(finish_after=3), tmp_path
    )
    assert request.preset == "conv"


@pytest.mark.usefixtures("raced")
def test_a_network_that_does_not_learn_has_lost_and_the_job_goes_on(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_first(*given: Any) -> Trained:
        if given[5] == 0:  # without restarts: a lap
            raise NotLearnedError("did_not_learn", "It did not.")
        return train(*given)

    monkeypatch.setattr(race, "train", fails_first)
    request, trained = train_best(dataset, REQUEST, Recorder(finish_after=3), tmp_path)
    assert (request.preset, trained.model.name) == ("conv", "reader")


@pytest.mark.usefixtures("raced")
def test_where_nothing_is_left_to_gain_the_slower_network_is_not_tried(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "nothing_left", lambda validation: True)
    recorder = Recorder(finish_after=3)
    request, _ = train_best(dataset, REQUEST, recorder, tmp_path)
    assert request.preset == "conv"
    assert not (tmp_path / "conv-large").exists()


@pytest.mark.usefixtures("raced")
def test_both_share_the_minutes(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def short(*given: Any) -> Trained:
        asked.append(given[1])
        return train(*given)

    monkeypatch.setattr(race, "train", short)
    monkeypatch.setattr(race, "is_better", lambda slower, faster: True)
    hyperparameters = REQUEST.hyperparameters.model_copy(update={"max_minutes": 60.0})
    timed = REQUEST.model_copy(update={"hyperparameters": hyperparameters})
    train_best(dataset, timed, Recorder(), tmp_path)
    first, *others = [request.hyperparameters.max_minutes for request in asked]
    assert first == 60
    assert all(59 < minutes < 60 for minutes in others)
