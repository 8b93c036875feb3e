"""The text is found among print that all images share, by the labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.support.labelled_images import write_zip
from tests.support.models.bundles import encoded
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.appearance import measure_appearance
from trainer.pipeline.datasets.inputs.image_spec import HEIGHTS
from trainer.pipeline.datasets.inputs.text_window import TextWindow, find_text_window
from trainer.pipeline.datasets.sources.source import ImageSource, open_source

SIZE = (300, 220)
FONT, CAPTION, LARGE = (ImageFont.load_default(size) for size in (26, 30, 44))
Draw = Callable[[ImageDraw.ImageDraw, str], None]


def meter(pen: ImageDraw.ImageDraw, text: str) -> None:
    """A reading in a frame, under a caption that stands out more."""
    pen.text((15, 15), "kWh TOTAL 220 V", fill="black", font=CAPTION)
    pen.rectangle((100, 140, 280, 182), outline="black", width=3)
    pen.text((272, 146), text, fill="black", font=FONT, anchor="ra")


def set_of(
    folder: Path, draw: Draw, labels: list[str], size: tuple[int, int] = SIZE
) -> tuple[ImageSource, list[LabelledImage]]:
    """Draw each label on an image that is tilted and moved a little, as photographs are."""
    chance, entries, table = np.random.default_rng(3), {}, []
    for number, label in enumerate(labels):
        image = Image.new("RGB", size, (205, 210, 200))
        draw(ImageDraw.Draw(image), label)
        angle, (x, y) = chance.uniform(-1.5, 1.5), chance.uniform(-3, 3, 2)
        moved = image.rotate(angle, Image.Resampling.BILINEAR, translate=(x, y), fillcolor="gray")
        noisy = np.asarray(moved) + chance.normal(0, 8, (size[1], size[0], 1))
        entries[name := f"{number:03}.png"] = encoded(
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        )
        table.append(LabelledImage(name, label, f"{number:064x}", size))
    return open_source(write_zip(folder / "set.zip", entries)), table


def texts(
    count: int, characters: str = "0123456789", lengths: tuple[int, int] = (4, 6)
) -> list[str]:
    chance = np.random.default_rng(0)
    return [
        "".join(chance.choice(list(characters), int(chance.integers(*lengths, endpoint=True))))
        for _ in range(count)
    ]


def found(
    folder: Path, draw: Draw, labels: list[str], size: tuple[int, int] = SIZE
) -> TextWindow | None:
    return find_text_window(*set_of(folder, draw, labels, size))


def test_a_caption_and_a_frame_that_all_images_share_are_left_out(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, meter, texts(32))
    window = find_text_window(source, images)
    assert window is not None
    assert window.nats > window.nats_whole + 2
    region = measure_appearance(source, images, HEIGHTS, window.region).region
    assert region is not None
    assert 0.35 < region.top < 0.66
    assert 0.79 < region.bottom < 0.95
    assert region.right > 0.9
    assert measure_appearance(source, images, HEIGHTS).region is None, (
        "contrast alone does not tell"
    )


def test_small_text_is_found_in_large_images(tmp_path: Path) -> None:
    def photograph(pen: ImageDraw.ImageDraw, text: str) -> None:
        pen.ellipse((200, 60, 760, 620), outline="black", width=8)
        pen.text((480, 180), "AQUA 2000", fill="black", font=LARGE, anchor="mm")
        pen.text((480, 300), text, fill="black", font=LARGE, anchor="mm")

    window = found(tmp_path, photograph, texts(32, lengths=(5, 5)), (960, 720))
    assert window is not None
    assert window.region.top < 275 / 720
    assert window.region.bottom > 325 / 720
    assert window.region.bottom - window.region.top < 0.25


def test_text_that_fills_the_images_has_no_window(tmp_path: Path) -> None:
    def tight(pen: ImageDraw.ImageDraw, text: str) -> None:
        pen.text((12, 2), text, fill="black", font=LARGE)

    assert found(tmp_path, tight, texts(32, lengths=(5, 5)), (150, 52)) is None


def test_a_window_never_shows_one_line_of_two(tmp_path: Path) -> None:
    def two_lines(pen: ImageDraw.ImageDraw, text: str) -> None:
        pen.text((70, 28), text[:3], fill="black", font=LARGE, anchor="mm")
        pen.text((70, 72), text[3:], fill="black", font=LARGE, anchor="mm")

    assert found(tmp_path, two_lines, texts(32, lengths=(6, 6)), (140, 100)) is None


def test_labels_that_have_nothing_to_do_with_the_images_show_no_window(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, meter, texts(32))
    others = images[7:] + images[:7]
    wrong = [one._replace(label=other.label) for one, other in zip(images, others, strict=True)]
    assert find_text_window(source, wrong) is None


def test_a_script_that_the_starter_does_not_know_has_no_window(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, meter, texts(32))
    kannada = str.maketrans("0123456789", "ಅಆಇಈಉಊಋಎಏಐ")
    foreign = [one._replace(label=one.label.translate(kannada)) for one in images]
    assert find_text_window(source, foreign) is None


def test_images_of_different_aspect_ratios_have_no_place_in_common(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, meter, texts(32))
    mixed = [one._replace(size=(300 + 300 * (at % 2), 220)) for at, one in enumerate(images)]
    assert find_text_window(source, mixed) is None
