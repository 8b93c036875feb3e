from dataclasses import asdict

import pytest

from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.parameters import MAX_MINUTES, choose_parameters, gentler
from trainer.schemas.job_request import Hyperparameters, JobRequest


def test_by_itself_training_ends_once_it_has_learned_and_never_later_than_a_limit() -> None:
    parameters, reasons = choose_parameters(JobRequest())
    assert (parameters.epochs, parameters.patience) == (None, None)
    assert parameters.max_minutes == MAX_MINUTES
    assert reasons["epochs"] == "until validation stops improving, at most 24 hours"
    assert set(reasons) < set(asdict(parameters))


def test_epochs_that_are_asked_for_have_no_other_limit_than_one_asked_for() -> None:
    asked = JobRequest(hyperparameters=Hyperparameters(epochs=7))
    parameters, _ = choose_parameters(asked)
    assert (parameters.epochs, parameters.max_minutes) == (7, None)
    limited = JobRequest(hyperparameters=Hyperparameters(epochs=7, max_minutes=3.0))
    assert choose_parameters(limited)[0].max_minutes == 3


def test_the_seed_recipe_stays_as_it_is() -> None:
    parameters, _ = choose_parameters(JobRequest(preset="crnn"))
    assert (parameters.epochs, parameters.patience, parameters.max_minutes) == (100, 10, None)
    assert not PRESETS["crnn"].decays


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_what_is_asked_for_stays_also_when_a_run_starts_again(restarts: int) -> None:
    asked = {"epochs": 7, "batch_size": 3, "learning_rate": 0.5, "augmentation": 2.0}
    request = JobRequest(hyperparameters=Hyperparameters.model_validate(asked))
    parameters, reasons = choose_parameters(request)
    tried = asdict(gentler(parameters, request, restarts))
    assert {name: tried[name] for name in asked} == asked
    assert set(reasons.values()) == {"as requested"}


def test_another_try_is_slower_longer_and_varies_less() -> None:
    first, _ = choose_parameters(JobRequest())
    second, third = (gentler(first, JobRequest(), restarts) for restarts in (1, 2))
    assert first.learning_rate > second.learning_rate > third.learning_rate
    assert first.augmentation > second.augmentation > third.augmentation == 0
    assert first.epochs is second.epochs is None


def test_another_try_of_the_seed_recipe_has_twice_its_epochs() -> None:
    request = JobRequest(preset="crnn")
    first, _ = choose_parameters(request)
    assert [gentler(first, request, restarts).epochs for restarts in (0, 1, 2)] == [100, 200, 200]
