"""A set has two rows of text if gaps and labels say so together."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit
from shared.recognition.vocabulary import required_time_steps
from tests.support.labelled_images import write_zip
from tests.support.models.bundles import encoded
from tests.support.plates import plate, plate_texts
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.inputs.image_spec import time_steps_of
from trainer.pipeline.datasets.inputs.measure import measure_image_spec
from trainer.pipeline.datasets.inputs.two_rows import count_rows, lines_of
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.schemas.job_request import Hyperparameters, JobRequest

SPEC = ImageSpec(height=48, width=192, channels=1, resize="stretch", standardize=True)
AUTO = JobRequest()


def set_of(
    folder: Path, images: Sequence[Image.Image], labels: Sequence[str]
) -> tuple[ImageSource, list[LabelledImage]]:
    entries = {f"{number:03}.png": encoded(image) for number, image in enumerate(images)}
    table = [
        LabelledImage(name, label, f"{0:064x}", image.size)
        for name, label, image in zip(entries, labels, images, strict=True)
    ]
    return open_source(write_zip(folder / "set.zip", entries)), table


def plates(two: int, one: int, joint: str = "") -> tuple[list[Image.Image], list[str]]:
    """Draw plates, tilted by up to 4 degrees; joint: what stands between the rows of a label."""
    texts = plate_texts(two + one)
    images = [
        plate(rows if number < two else ["".join(rows)], tilt=number % 9 - 4)
        for number, rows in enumerate(texts)
    ]
    return images, [joint.join(rows) for rows in texts]


@pytest.mark.parametrize("joint", ["", " ", "-"])
def test_rows_are_joined_where_labels_are_then_told_apart(tmp_path: Path, joint: str) -> None:
    rows, why = count_rows(*set_of(tmp_path, *plates(30, 0, joint)), SPEC)
    assert rows == 2
    assert "in 30 of 30 images, and the starter tells their labels apart by" in why


def test_a_part_with_two_rows_is_enough(tmp_path: Path) -> None:
    rows, why = count_rows(*set_of(tmp_path, *plates(10, 30)), SPEC)
    assert (rows, why[:50]) == (2, "a gap between two rows is in 10 of 40 images, and ")


def test_one_row_stays_one(tmp_path: Path) -> None:
    rows, why = count_rows(*set_of(tmp_path, *plates(0, 30)), SPEC)
    assert (rows, why) == (1, "a gap between two rows is in 0 of 30 images")


def test_a_few_odd_images_are_no_second_row(tmp_path: Path) -> None:
    assert count_rows(*set_of(tmp_path, *plates(7, 20)), SPEC)[0] == 1


def test_a_second_row_that_no_label_holds_is_not_joined(tmp_path: Path) -> None:
    captioned = [plate([rows[1], "TOTAL"]) for rows in plate_texts(30)]
    labels = [rows[1] for rows in plate_texts(30)]
    rows, why = count_rows(*set_of(tmp_path, captioned, labels), SPEC)
    assert rows == 1
    assert "but the starter tells their labels apart by" in why


UNKNOWN = "ಕಖಗಘಙಚಛಜಝಞ"
"""Letters that the starter does not know."""


@pytest.mark.parametrize(
    ("two", "length", "rows"), [(30, 7, 2), (20, 7, 1), (30, 3, 1)],
    ids=["nearly all, long labels", "not nearly all", "short labels"],
)  # fmt: skip
def test_without_the_starter_nearly_all_must_have_a_gap_and_labels_must_be_long(
    tmp_path: Path, two: int, length: int, rows: int
) -> None:
    images, _ = plates(two, 30 - two)
    found, why = count_rows(*set_of(tmp_path, images, [UNKNOWN[:length]] * 30), SPEC)
    assert found == rows
    assert rows == 2 or "rows 2 joins them all the same" in why


def test_line_breaks_in_the_labels_say_it(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, plates(20, 10)[0], [UNKNOWN[:3]] * 30)
    broken = frozenset(image.name for image in images[:12])
    rows, why = count_rows(source, images, SPEC, broken)
    assert rows == 2
    assert "12 of their labels have a line break" in why


def test_the_input_is_measured_on_the_lines(tmp_path: Path) -> None:
    source, images = set_of(tmp_path, *plates(30, 0))
    spec, reasons = measure_image_spec(source, images, AUTO)
    whole, _ = measure_image_spec(source, images, JobRequest(preset="crnn"))
    assert (spec.rows, whole.rows) == (2, 1)
    assert reasons["rows"].startswith("2: a gap")
    # Seven characters beside each other, not four.
    assert spec.width >= 1.5 * whole.width * spec.height / whole.height
    for image, line in zip(images, lines_of(source, images, spec), strict=True):
        assert time_steps_of(line.size, spec.of_lines) >= 2 * required_time_steps(image.label)


def test_what_is_asked_for_wins(tmp_path: Path) -> None:
    one = JobRequest(hyperparameters=Hyperparameters(rows=1))
    two = JobRequest(preset="crnn", hyperparameters=Hyperparameters(rows=2))
    source, images = set_of(tmp_path, *plates(30, 0))
    for request, rows in ((one, 1), (two, 2)):
        spec, reasons = measure_image_spec(source, images, request)
        assert (spec.rows, reasons["rows"]) == (rows, f"{rows}: as requested")


def test_inputs_of_a_mixed_set_have_the_width_that_its_time_steps_are_counted_by(
    tmp_path: Path,
) -> None:
    drawn, labels = plates(10, 20)
    source, images = set_of(tmp_path, drawn, labels)
    spec, _ = measure_image_spec(source, images, AUTO)
    lines = lines_of(source, images, spec)
    assert spec.rows == 2
    for image, line in zip(drawn, lines, strict=True):
        assert fit(image, spec).shape[1] == spec.of_lines.input_width(line.size)
