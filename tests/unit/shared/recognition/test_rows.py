import numpy as np
import pytest
from PIL import Image

from shared.recognition.decoding import DecodedCharacter, DecodedText
from shared.recognition.image_spec import ImageSpec, Region
from shared.recognition.lines.rows import find_gap, join_rows
from shared.recognition.preprocessing import cut_line, fit, to_input
from tests.support.plates import plate, plate_texts

SPEC = ImageSpec(height=48, width=384, channels=1, resize="follow", standardize=True, rows=2)


@pytest.mark.parametrize("tilt", [-5.0, -2.5, 0.0, 2.5, 5.0])
@pytest.mark.parametrize("colours", [("black", "white"), ("white", "black"), ("black", "#c8b432")])
def test_the_gap_of_two_rows_is_found(tilt: float, colours: tuple[str, str]) -> None:
    ink, ground = colours
    for rows in plate_texts(5):
        gap = find_gap(plate(rows, tilt=tilt, ink=ink, ground=ground))
        assert gap is not None
        assert gap.middle == pytest.approx(0.5, abs=0.06)
        # To the right, rows of an image that is turned against the clock rise.
        assert gap.slope == pytest.approx(-np.tan(np.radians(tilt)), abs=0.07)


def test_the_gap_is_where_it_is_not_in_the_middle() -> None:
    upper = plate(["ABC", "1234"])
    image = Image.new("RGB", (upper.width, upper.height + 60), "white")
    image.paste(upper, (0, 60))
    gap = find_gap(image)
    assert gap is not None
    assert gap.middle * image.height == pytest.approx(60 + upper.height / 2, abs=6)
    assert gap.top * image.height > 50


def test_one_row_has_no_gap() -> None:
    assert not any(find_gap(plate(["".join(rows)])) for rows in plate_texts(20))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (400, 2), (2, 400), (3000, 1000)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_without_text_have_no_gap(size: tuple[int, int], mode: str) -> None:
    assert find_gap(Image.new(mode, size, 7)) is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_upper_row_comes_first_and_both_are_equally_high(mode: str) -> None:
    image = plate(["XXX", "1111"], noise=0, mode=mode)
    gap = find_gap(image)
    assert gap is not None
    line = join_rows(image, gap)
    assert (line.mode, line.width) == (mode, 2 * image.width)
    assert 50 <= line.height <= 75
    both = np.asarray(line.convert("L"), float)
    rows = np.split(both, 2, axis=1)
    upper = np.asarray(image.convert("L").crop((0, 18, image.width, 82)).resize((200, 64)), float)
    likeness = [
        np.corrcoef(np.asarray(Image.fromarray(row).resize((200, 64))).ravel(), upper.ravel())[0, 1]
        for row in rows
    ]
    assert likeness[0] > likeness[1] + 0.2


def test_the_upper_row_is_at_the_right_where_text_runs_from_there() -> None:
    image = plate(["XXX", "1111"])
    gap = find_gap(image)
    assert gap is not None
    left, right = np.split(np.asarray(join_rows(image, gap)), 2, axis=1)
    turned = np.asarray(join_rows(image, gap, right_to_left=True))
    assert np.array_equal(turned, np.concatenate([right, left], axis=1))


def test_the_cut_is_made_image_by_image_within_the_region() -> None:
    region = Region(left=0.1, top=0.0, right=0.9, bottom=1.0)
    two, one = plate(["ABC", "1234"]), plate(["ABC1234"])
    for spec in (SPEC, SPEC.model_copy(update={"region": region})):
        assert (cut_line(two, spec).rows, cut_line(one, spec).rows) == (2, 1)
    assert cut_line(two, SPEC.model_copy(update={"region": region})).image.width == 320
    assert cut_line(two, SPEC.model_copy(update={"rows": 1})).image is two


def test_large_images_are_reduced_first() -> None:
    small = plate(["ABC", "1234"])
    large = small.resize((small.width * 20, small.height * 20))
    line = cut_line(large, SPEC)
    assert line.rows == 2
    assert line.image.height <= 8 * SPEC.height
    alike = np.corrcoef(fit(large, SPEC).ravel(), fit(small, SPEC).ravel())
    assert alike[0, 1] > 0.9


def test_training_and_serving_see_the_same() -> None:
    image = plate(["ABC", "1234"], tilt=3)
    line = cut_line(image, SPEC).image
    assert np.array_equal(to_input(image, SPEC), to_input(line, SPEC.of_lines))


def test_characters_of_joined_rows_are_located_in_their_own_row() -> None:
    places = ((0.1, 0.2), (0.4, 0.51), (0.5, 0.55), (0.9, 1.0))
    line = DecodedText("AB12", 1, tuple(DecodedCharacter("x", 1, *each) for each in places))
    found = [(one.start, one.end) for one in line.in_rows(2).characters]
    assert found == [pytest.approx(each) for each in ((0.2, 0.4), (0.8, 1), (0, 0.1), (0.8, 1))]
    assert line.in_rows(1) == line


def test_a_spec_from_before_has_one_row() -> None:
    document = SPEC.model_dump(exclude={"rows"})
    assert ImageSpec.model_validate(document).rows == 1
