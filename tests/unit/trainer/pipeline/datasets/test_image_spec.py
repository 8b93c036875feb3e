from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from shared.recognition.vocabulary import required_time_steps
from trainer.pipeline.datasets.image_spec import choose_image_spec, share_of_brightness, time_steps
from trainer.schemas.job_request import Hyperparameters, JobRequest

AUTO = JobRequest()


def test_the_default_preset_takes_the_height_of_the_starter_weights() -> None:
    spec, _ = choose_image_spec({(200, 50): 900}, [1.0], ["ab2c3"], AUTO)
    assert (spec.height, spec.width, spec.resize) == (48, 192, "stretch")


def test_a_uniform_set_keeps_its_size_in_the_seed_architecture() -> None:
    crnn = JobRequest(preset="crnn")
    spec, reasons = choose_image_spec({(200, 50): 900}, [1.0], ["ab2c3"], crnn)
    assert (spec.height, spec.width, spec.resize) == (50, 200, "stretch")
    assert set(reasons) == {"height", "width", "resize", "channels", "standardize"}


def test_mixed_aspect_ratios_are_padded_and_none_is_squeezed() -> None:
    sizes = {(60, 20): 50, (600, 120): 50, (100, 100): 50}
    spec, _ = choose_image_spec(sizes, [1.0], ["abc"], AUTO)
    assert spec.resize == "pad"
    assert spec.width / spec.height >= 5 * 0.95


@pytest.mark.parametrize("label", ["a", "aaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz012345"])
def test_there_are_time_steps_for_the_longest_label(label: str) -> None:
    spec, _ = choose_image_spec({(40, 40): 10}, [1.0], [label], AUTO)
    assert time_steps(spec) > required_time_steps(label)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (5000, 2000)])
def test_odd_sizes_give_a_spec_within_bounds(size: tuple[int, int]) -> None:
    spec, _ = choose_image_spec({size: 10}, [1.0], ["abc"], AUTO)
    assert 32 <= spec.height <= 64
    assert 32 <= spec.width <= 4096


def test_what_is_asked_for_wins() -> None:
    asked: dict[str, Any] = {
        "height": 32,
        "width": 100,
        "resize": "pad",
        "channels": 3,
        "standardize": False,
    }
    request = JobRequest(hyperparameters=Hyperparameters(**asked))
    spec, reasons = choose_image_spec({(200, 50): 9}, [1.0], ["ab"], request)
    assert spec.model_dump(exclude={"layout"}) == asked
    assert {reason.split(": ")[1] for reason in reasons.values()} == {"as requested"}


def drawn(ground: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGB", (80, 32), ground)
    ImageDraw.Draw(image).text((4, 4), "A1B2", fill=ink, font=ImageFont.load_default(20))
    return image


def test_gray_is_enough_where_brightness_tells_the_characters() -> None:
    for ground, ink in (((255, 255, 255), (0, 0, 0)), ((0, 0, 160), (250, 250, 90))):
        share = share_of_brightness(drawn(ground, ink))
        spec, reasons = choose_image_spec({(80, 32): 9}, [share], ["ab"], AUTO)
        assert spec.channels == 1, reasons["channels"]


def test_colour_is_kept_where_gray_would_lose_the_text() -> None:
    share = share_of_brightness(drawn((255, 0, 0), (0, 130, 0)))  # both 76 in gray
    spec, reasons = choose_image_spec({(80, 32): 9}, [share], ["ab"], AUTO)
    assert spec.channels == 3, reasons["channels"]


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 1)])
def test_an_image_of_hardly_a_pixel_has_no_contrast_to_lose(size: tuple[int, int]) -> None:
    assert share_of_brightness(Image.new("RGB", size, "red")) == 1.0
