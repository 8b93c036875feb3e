import math
from itertools import permutations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from shared.recognition.lines.corners import (
    Corners,
    Point,
    angle,
    in_reading_order,
    overlap,
    perspective,
    size_of,
    straighten,
)

LINE: Corners = ((20, 30), (120, 60), (112, 84), (12, 54))
"""A line of text that falls to the right."""


def turned(corners: Corners, degrees: float) -> list[Point]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in corners]


@pytest.mark.parametrize("degrees", [0, 90, 140, 180, -120])
def test_corners_in_the_order_of_the_text_stay_as_they_are(degrees: float) -> None:
    points = turned(LINE, degrees)
    assert list(in_reading_order(points)) == points


def test_corners_in_no_order_of_a_text_read_to_the_right() -> None:
    turns = [LINE[i:] + LINE[:i] for i in range(4)]
    trusted = (turns[0], turns[2])  # along the text, clockwise
    for points in permutations(LINE):
        if points not in trusted:
            assert in_reading_order(points) == LINE


def test_a_narrow_character_keeps_its_corners() -> None:
    one: Corners = ((10, 10), (20, 12), (16, 52), (6, 50))
    assert in_reading_order(one) == one


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (0, 0), (0, 0), (0, 0)],
        [(0, 0), (10, 10), (20, 20), (30, 30)],
        [(0, 0), (30, 0), (10, 5), (0, 30)],  # one inside the triangle of the others
        [(0, 0), (30, 0), (30, 0), (0, 30)],
    ],
)
def test_points_that_enclose_no_four_sides_are_refused(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="enclose no area with four sides"):
        in_reading_order(points)


def test_a_turned_line_is_cut_upright_with_a_margin() -> None:
    image = Image.new("L", (160, 120), 200)
    ImageDraw.Draw(image).polygon(LINE, fill=40)
    middle = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in (LINE[:2], LINE[2:])]
    ImageDraw.Draw(image).polygon([LINE[0], *middle, LINE[3]], fill=90)
    cut = straighten(image, LINE)
    width, height = size_of(LINE)
    assert cut.size == (math.ceil(width + 2 * 1.27), math.ceil(height + 2 * 1.27))
    values = np.asarray(cut, int)
    assert abs(values[3:-3, 5:50] - 90).max() < 12
    assert abs(values[3:-3, 56:-5] - 40).max() < 12
    assert abs(angle(LINE) - 16.7) < 0.1


def test_what_is_outside_the_image_has_its_mean_and_a_huge_line_is_reduced() -> None:
    image = Image.new("RGB", (20, 20), (10, 20, 30))
    cut = straighten(image, ((-20, 0), (40, 0), (40, 20), (-20, 20)))
    assert np.unique(np.asarray(cut).reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]
    assert max(straighten(image, ((0, 0), (90_000, 0), (90_000, 9), (0, 9))).size) <= 4100


def test_perspective_takes_each_point_to_its_own() -> None:
    a, b, c, d, e, f, g, h = perspective(LINE, ((0, 0), (1, 0), (1, 1), (0, 1)))
    x, y = LINE[2]
    found = np.array([a * x + b * y + c, d * x + e * y + f]) / (g * x + h * y + 1)
    assert found == pytest.approx([1, 1])


def test_overlap_is_the_share_of_both_areas() -> None:
    square: Corners = ((0, 0), (10, 0), (10, 10), (0, 10))
    moved: Corners = ((5, 0), (15, 0), (15, 10), (5, 10))
    diamond: Corners = ((5, 0), (10, 5), (5, 10), (0, 5))
    assert overlap(square, square) == pytest.approx(1)
    assert overlap(square, moved) == pytest.approx(50 / 150)
    assert overlap(square, diamond) == pytest.approx(0.5)
    assert overlap(square, ((20, 0), (30, 0), (30, 10), (20, 10))) == 0
