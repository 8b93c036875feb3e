"""When training ends: by itself, at the limit of time, or because somebody asks for it."""

import math
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ReadsmithError
from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import labelled_zip, texts
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.training.results import Trained
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import CancelledRunError

STEPS_PER_EPOCH = 8
VALIDATED = 6
"""Epochs between two validations of so small a set."""
FIRST, DECAY = 60, 32
"""Steps before anything is concluded, and of the decay."""


def request(**hyperparameters: float) -> JobRequest:
    size = {"height": 32, "width": 64}
    return JobRequest(hyperparameters=Hyperparameters.model_validate(size | hyperparameters))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = labelled_zip(tmp_path_factory.mktemp("set") / "set.zip", texts(160))
    return load_dataset(path, request())


@pytest.fixture
def learns_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training end after few steps: no improvement is large enough to go on."""
    monkeypatch.setattr("trainer.pipeline.training.train.MIN_STEPS", FIRST)
    monkeypatch.setattr("trainer.pipeline.training.schedule.MIN_DECAY_STEPS", DECAY)
    monkeypatch.setattr("trainer.pipeline.training.schedule.GAIN", 1.0)


def require_same_weights(one: Trained, other: Trained) -> None:
    for weights, same in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)


@pytest.mark.usefixtures("learns_soon")
def test_training_ends_by_itself_and_an_interrupted_one_at_the_same_weights(
    dataset: Dataset, tmp_path: Path
) -> None:
    recorder = Recorder()
    trained = train(dataset, request(), recorder, tmp_path)
    constant = math.ceil(FIRST / STEPS_PER_EPOCH / VALIDATED) * VALIDATED
    assert [progress.epoch for progress in recorder.epochs] == [6, constant, 16]
    assert (constant + DECAY / STEPS_PER_EPOCH, trained.epochs) == (16, 16)
    assert trained.parameters.epochs == 16
    assert [kind for kind, _ in recorder.events] == ["start", "settings", "estimate", "learned"]
    assert recorder.epochs[-1].seconds_left == 0
    assert recorder.epochs[-1].epochs == 16

    for steps in (VALIDATED * STEPS_PER_EPOCH + 3, constant * STEPS_PER_EPOCH + 5):
        (work := tmp_path / str(steps)).mkdir()
        with pytest.raises(CancelledRunError):
            train(dataset, request(), Recorder(cancel_after=steps), work)
        again = Recorder()
        resumed = train(dataset, request(), again, work)
        assert again.events[0][0] == "resumed"
        require_same_weights(trained, resumed)


def test_a_run_that_is_asked_to_finish_ends_soon_with_what_it_has_learned(
    dataset: Dataset, tmp_path: Path
) -> None:
    asked = 200 + 3
    recorder = Recorder(finish_after=asked)
    trained = train(dataset, request(epochs=1000), recorder, tmp_path)
    assert recorder.checkpoints == asked - 1 + 20
    assert trained.validation.exact_match > 0.5
    assert trained.epochs == recorder.epochs[-1].epoch == 28
    assert recorder.epochs[-1].seconds_left == 0
    assert recorder.events[-1][0] == "finishing"


def test_the_next_attempt_of_a_run_that_was_asked_to_finish_does_so(
    dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(CancelledRunError):
        killed = Recorder(finish_after=202, cancel_after=204)
        train(dataset, request(epochs=1000), killed, tmp_path)
    recorder = Recorder(finish_after=0)
    trained = train(dataset, request(epochs=1000), recorder, tmp_path)
    assert recorder.checkpoints == 20
    assert trained.validation.exact_match > 0.5


def test_a_run_that_has_learned_nothing_when_asked_to_finish_does_not_start_again(
    dataset: Dataset, tmp_path: Path
) -> None:
    nothing = request(learning_rate=1e-9).model_copy(update={"base": "none"})
    recorder = Recorder(finish_after=1)
    with pytest.raises(ReadsmithError) as caught:
        train(dataset, nothing, recorder, tmp_path)
    assert caught.value.code == "did_not_learn"
    assert "restart" not in [kind for kind, _ in recorder.events]


def test_a_limit_of_time_ends_the_training_in_mid_epoch_with_a_low_rate(
    dataset: Dataset, tmp_path: Path
) -> None:
    recorder = Recorder()
    limit = 0.4
    trained = train(dataset, request(max_minutes=limit), recorder, tmp_path)
    last = recorder.epochs[-1]
    assert last.seconds_left == 0
    assert 0.5 * limit * 60 < trained.seconds < limit * 60 + 10
    assert trained.validation.exact_match > 0.5
