import pytest

from shared.vocabulary import required_time_steps
from trainer.image_choice import choose_image_spec, time_steps
from trainer.requests import Hyperparameters, JobRequest

AUTO = JobRequest()


def test_the_default_preset_takes_the_height_of_the_starter_weights() -> None:
    spec, _ = choose_image_spec({(200, 50): 900}, ["ab2c3"], AUTO)
    assert (spec.height, spec.width, spec.resize) == (48, 192, "stretch")


def test_a_uniform_set_keeps_its_size_in_the_seed_architecture() -> None:
    crnn = JobRequest(preset="crnn")
    spec, reasons = choose_image_spec({(200, 50): 900}, ["ab2c3"], crnn)
    assert (spec.height, spec.width, spec.resize) == (50, 200, "stretch")
    assert set(reasons) == {"height", "width", "resize", "channels", "standardize"}


def test_mixed_aspect_ratios_are_padded_and_none_is_squeezed() -> None:
    spec, _ = choose_image_spec({(60, 20): 50, (600, 120): 50, (100, 100): 50}, ["abc"], AUTO)
    assert spec.resize == "pad"
    assert spec.width / spec.height >= 5 * 0.95


@pytest.mark.parametrize("label", ["a", "aaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz012345"])
def test_there_are_time_steps_for_the_longest_label(label: str) -> None:
    spec, _ = choose_image_spec({(40, 40): 10}, [label], AUTO)
    assert time_steps(spec) > required_time_steps(label)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (5000, 2000)])
def test_odd_sizes_give_a_spec_within_bounds(size: tuple[int, int]) -> None:
    spec, _ = choose_image_spec({size: 10}, ["abc"], AUTO)
    assert 32 <= spec.height <= 64
    assert 32 <= spec.width <= 4096


def test_what_is_asked_for_wins() -> None:
    spec, reasons = choose_image_spec(
        {(200, 50): 9}, ["ab"], JobRequest(hyperparameters=Hyperparameters(height=32, width=100))
    )
    assert (spec.height, spec.width) == (32, 100)
    assert reasons["height"] == reasons["width"] == "as asked for"
