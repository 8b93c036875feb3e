import math

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.lines.corners import Corners, overlap
from shared.recognition.lines.detection import (
    View,
    close_view,
    cut_found,
    find_line,
    read_maps,
    to_input,
    view_of,
    whole_view,
)
from tests.support.models.detectors import (
    BLUE,
    CORNERS,
    DETECTOR_SPEC,
    detector_graph,
    photograph,
)

SESSION = onnxruntime.InferenceSession(detector_graph(), providers=["CPUExecutionProvider"])


def run(views: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(SESSION.run(None, {"views": views})[0], np.float32)


def upright(x: float, y: float, width: float) -> Corners:
    return (x, y), (x + width, y), (x + width, y + width / 4), (x, y + width / 4)


@pytest.mark.parametrize(
    ("size", "corners"),
    [
        ((640, 480), CORNERS),
        ((480, 640), upright(80, 430, 176)),
        ((3000, 2000), upright(2060, 1620, 150)),  # a line of 5 % of the width
        ((640, 480), upright(30, 65, 400)),
    ],
)
def test_a_line_is_found_whatever_its_size_and_place(
    size: tuple[int, int], corners: Corners
) -> None:
    found = find_line(photograph("abca", corners, size), DETECTOR_SPEC, run)
    assert found is not None
    assert overlap(found.corners, corners) > 0.85
    assert math.dist(found.corners[0], corners[0]) < 12


def test_what_is_cut_out_is_the_line_alone() -> None:
    cut = cut_found(photograph("cccc"), DETECTOR_SPEC, run)
    assert cut is not None
    line, found = cut
    assert line.width / line.height == pytest.approx(4, rel=0.2)
    assert found.score > DETECTOR_SPEC.least_score
    values = np.asarray(line, int)[4:-4, 6:-6]
    assert np.mean(values[..., 2] - values[..., 0] > 100) < 0.05


@pytest.mark.parametrize("size", [(640, 480), (1, 1), (2, 3000), (3000, 2)])
def test_nothing_is_found_where_there_is_no_line(size: tuple[int, int]) -> None:
    assert find_line(Image.new("RGB", size, BLUE), DETECTOR_SPEC, run) is None
    assert find_line(Image.new("L", size, 128), DETECTOR_SPEC, run) is None


def test_corners_that_belong_to_no_line_are_nothing_found() -> None:
    answer = np.zeros((1, 4, 64 * 64 + 1), np.float32)
    answer[0, :, 64 * 30 + 30] = 1  # all four in one cell
    assert find_line(Image.new("RGB", (64, 64)), DETECTOR_SPEC, lambda views: answer) is None


def test_a_view_shows_its_part_of_the_image_where_it_is() -> None:
    image = Image.new("RGB", (100, 60))
    image.paste((255, 0, 0), (50, 30, 100, 60))
    view = view_of(image, View(40, 20, 20), 64)
    assert view[:31, :31].max() == 0
    assert view[33:, 33:, 0].min() > 230
    whole = view_of(image, whole_view(image.size), 100)
    assert whole[52:79, 52:, 0].min() == 255
    assert (whole[81:] == whole[81, 0]).all()  # beyond the image, its mean


@pytest.mark.parametrize(
    "view", [View(-500, -500, 10), View(500, 500, 10), View(-5, -5, 1e6), View(1, 1, 1e-3)]
)
def test_any_view_has_the_size_that_is_asked_for(view: View) -> None:
    assert view_of(Image.new("L", (30, 20), 9), view, 64).shape == (64, 64, 3)


def test_a_close_view_holds_all_points_with_room_around_them() -> None:
    view = close_view(CORNERS)
    assert view.left < 180 and view.left + view.size > 410
    assert view.top < 100 and view.top + view.size > 260


def test_an_input_has_mean_zero_and_deviation_one_and_a_plain_one_stays_finite() -> None:
    views = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    views[1] = 7
    values = to_input(views)
    assert values.dtype == np.float32
    assert abs(values[0].mean()) < 1e-5
    assert values[0].std() == pytest.approx(1, abs=1e-5)
    assert (values[1] == 0).all()


def test_a_corner_is_the_mean_of_the_cells_near_the_likeliest() -> None:
    answer = np.zeros((4, 64 * 64 + 1), np.float32)
    answer[:, 64 * 10 + 20] = 0.5
    answer[:, 64 * 10 + 21] = 0.25
    answer[:, 0] = 0.2  # far away: it tells nothing of the place
    points, score = read_maps(answer, View(100, 0, 64), DETECTOR_SPEC)
    assert points == [pytest.approx((100 + 20.5 + 1 / 3, 10.5), abs=1e-4)] * 4
    assert score == pytest.approx(0.75)
