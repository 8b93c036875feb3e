from dataclasses import asdict

import pytest

from trainer.pipeline.training.parameters import choose_parameters, gentler
from trainer.schemas.job_request import Hyperparameters, JobRequest


def test_small_sets_are_shown_more_often_and_wide_ones_less() -> None:
    epochs = [
        choose_parameters(JobRequest(), images, width)[0].epochs
        for images, width in ((1, 200), (300, 200), (300, 400), (100_000, 200))
    ]
    assert epochs == [400, 200, 100, 12]


def test_every_choice_has_a_reason() -> None:
    parameters, reasons = choose_parameters(JobRequest(), 300, 200)
    assert reasons["epochs"] == "about 60,000 images in all, 200 pixels wide"
    assert set(reasons) < set(asdict(parameters))
    assert parameters.may_shorten


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_what_is_asked_for_stays_also_when_a_run_starts_again(restarts: int) -> None:
    asked = {"epochs": 7, "batch_size": 3, "learning_rate": 0.5, "augmentation": 2.0}
    request = JobRequest(hyperparameters=Hyperparameters.model_validate(asked))
    parameters, reasons = choose_parameters(request, 300, 200)
    tried = asdict(gentler(parameters, request, restarts))
    assert {name: tried[name] for name in asked} == asked
    assert set(reasons.values()) == {"as requested"}
    assert not tried["may_shorten"]


def test_another_try_is_slower_longer_and_varies_less() -> None:
    first, _ = choose_parameters(JobRequest(), 300, 200)
    second, third = (gentler(first, JobRequest(), restarts) for restarts in (1, 2))
    assert first.learning_rate > second.learning_rate > third.learning_rate
    assert first.augmentation > second.augmentation > third.augmentation == 0
    assert second.epochs == third.epochs == 2 * first.epochs
