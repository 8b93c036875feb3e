from typing import Any

import pytest

from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.vocabulary import required_time_steps
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.appearance import Appearance
from trainer.pipeline.datasets.inputs.image_spec import (
    choose_image_spec,
    time_steps,
    time_steps_of,
)
from trainer.schemas.job_request import Hyperparameters, JobRequest

AUTO = JobRequest()
CRNN = JobRequest(preset="crnn")
MIDDLE = Region(left=0.1, top=0.4, right=0.9, bottom=0.6)


def chosen(
    *images: tuple[tuple[int, int], str],
    request: JobRequest = AUTO,
    appearance: Appearance | None = None,
) -> tuple[ImageSpec, dict[str, str]]:
    """Return the spec for images of these sizes and labels, ten of each."""
    table = [
        LabelledImage(f"{number}.png", label, f"{number:064x}", size)
        for number, (size, label) in enumerate(images * 10)
    ]
    return choose_image_spec(table, appearance or Appearance(), request)


def test_text_of_usual_height_gets_the_height_that_the_starter_was_trained_on() -> None:
    spec, _ = chosen(((200, 50), "ab2c3"))
    assert (spec.height, spec.width, spec.resize) == (48, 192, "stretch")


def test_a_uniform_set_keeps_its_size_in_the_seed_architecture() -> None:
    spec, reasons = chosen(((200, 50), "ab2c3"), request=CRNN)
    assert (spec.height, spec.width, spec.resize, spec.region) == (50, 200, "stretch", None)
    assert set(reasons) == {
        "region", "height", "width", "resize", "direction", "channels", "standardize",
    }  # fmt: skip


MIXED = (((60, 20), "abc"), ((600, 120), "abcdefgh"), ((100, 100), "a"))


def test_the_width_follows_images_of_mixed_aspect_ratios_and_none_is_squeezed() -> None:
    spec, _ = chosen(*MIXED)
    assert spec.resize == "follow"
    for size, _ in MIXED:
        width, height = spec.content_size(size)
        assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


def test_mixed_aspect_ratios_are_padded_in_the_seed_architecture() -> None:
    spec, _ = chosen(*MIXED, request=CRNN)
    assert spec.resize == "pad"
    assert spec.width / spec.height >= 5


@pytest.mark.parametrize("label", ["a", "aaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz012345"])
def test_there_are_time_steps_for_the_longest_label(label: str) -> None:
    spec, _ = chosen(((40, 40), label))
    assert time_steps(spec) > required_time_steps(label)


def test_text_that_is_narrow_for_its_height_is_widened_until_its_characters_have_columns() -> None:
    stretched, _ = chosen(((60, 30), "abcdefghij"))
    assert stretched.width >= 16 * 10
    narrow = [((w, 30), "abcdefghij"[: w // 6]) for w in (30, 40, 50, 60)]
    following, reasons = chosen(*narrow)
    for size, label in narrow:
        assert following.content_size(size)[0] >= 16 * len(label) * 0.9
        assert time_steps_of(size, following) >= 2 * len(label)
    assert "columns" in reasons["widening"]


def test_columns_are_counted_over_the_text_and_not_over_the_margins() -> None:
    wide, _ = chosen(((200, 50), "abcdefgh"))
    half, _ = chosen(((200, 50), "abcdefgh"), appearance=Appearance(text_width=0.5))
    assert (wide.width, half.width) == (192, 256)


def test_small_text_gets_a_higher_input_but_no_more_pixels_than_it_has() -> None:
    small = Appearance(text_height=0.25)
    high, reasons = chosen(((400, 200), "abc"), appearance=small)
    assert high.height == 96
    assert reasons["height"] == "96: the text has 24 rows, 12 in 48"
    low, _ = chosen(((100, 50), "abc"), appearance=small)
    assert low.height == 64
    tiny, _ = chosen(((4000, 2000), "abc"), appearance=Appearance(text_height=0.01))
    assert tiny.height == 128


def test_the_region_decides_on_the_aspect_ratio() -> None:
    spec, reasons = chosen(((350, 200), "abcde"), appearance=Appearance(region=MIDDLE))
    assert spec.region == MIDDLE
    assert spec.width / spec.height == pytest.approx(0.8 * 350 / 40, rel=0.02)
    assert reasons["region"].startswith("10% to 90% of the width, 40% to 60% of the height: ")


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (5000, 2000)])
def test_odd_sizes_give_a_spec_within_bounds(size: tuple[int, int]) -> None:
    spec, _ = chosen((size, "abc"))
    assert 48 <= spec.height <= 128
    assert 32 <= spec.width <= 4096


def test_what_is_asked_for_wins() -> None:
    asked: dict[str, Any] = {
        "height": 32,
        "width": 100,
        "resize": "pad",
        "direction": "rtl",
        "channels": 3,
        "standardize": False,
        "region": {"left": 0.25, "top": 0, "right": 0.5, "bottom": 1},
    }
    request = JobRequest(hyperparameters=Hyperparameters(**asked))
    spec, reasons = chosen(((200, 50), "ab"), request=request)
    assert spec.model_dump(exclude={"layout", "rows", "widening"}) == asked
    assert {reason.split(": ")[1] for reason in reasons.values()} == {"as requested"}


def test_the_letters_of_the_labels_decide_the_direction() -> None:
    spec, reasons = chosen(((200, 50), "שלום"), ((200, 50), "123"))
    assert (spec.direction, reasons["direction"].split(":")[0]) == ("rtl", "rtl")
    assert chosen(((200, 50), "abc"), ((200, 50), "123"))[0].direction == "ltr"


def test_whole_images_can_be_asked_for() -> None:
    request = JobRequest(hyperparameters=Hyperparameters(region="whole"))
    spec, _ = chosen(((350, 200), "ab"), request=request, appearance=Appearance(region=MIDDLE))
    assert spec.region is None


@pytest.mark.parametrize(("lost", "channels"), [(0.0, 1), (0.05, 1), (0.4, 3)])
def test_colour_is_kept_where_gray_would_lose_edges(lost: float, channels: int) -> None:
    spec, reasons = chosen(((200, 50), "ab"), appearance=Appearance(lost_in_gray=lost))
    assert spec.channels == channels, reasons["channels"]
    assert reasons["channels"].startswith(f"{channels}: ")
