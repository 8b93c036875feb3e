from pathlib import Path

import pytest

from shared.recognition.preprocessing import open_image
from tests.support.labelled_images import image, labelled_zip
from trainer.pipeline.starter.real_sets import (
    RealSet,
    character_errors,
    exact_match,
    without_first_sign,
    without_spaces,
)


def test_each_measure_forgives_what_it_says_and_nothing_else() -> None:
    pairs = [("\u7696AB1", "QAB1"), ("\u7696AB2", "AB2"), ("\u7696AB3", "AB4"), ("\u7696AB5", "")]
    assert without_first_sign(pairs) == 0.5
    assert without_spaces([("A B", "AB"), ("A B", "A  B"), ("A B", "A C")]) == pytest.approx(2 / 3)
    assert exact_match([("A B", "AB"), ("a", "a")]) == 0.5
    assert character_errors([("abcd", "abxd"), ("ab", "ab")]) == pytest.approx(1 / 6)


def test_a_part_of_a_set_is_spread_over_the_whole(tmp_path: Path) -> None:
    labels = [f"A{number:02}" for number in range(40)]
    labelled_zip(tmp_path / "set.zip", labels, (96, 32))
    real = RealSet("set.zip", "exact match", exact_match)
    found = dict(real.images(tmp_path, 10))
    assert list(found) == labels[::4]
    assert found["A04"].tobytes() == open_image(image("A04", (96, 32), 4)).tobytes()
