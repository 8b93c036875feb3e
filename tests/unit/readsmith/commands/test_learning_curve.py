"""`readsmith learning-curve`: what it concludes."""

from pathlib import Path

from readsmith.commands.learning_curve import conclusion
from tests.support.commands import Run
from tests.support.labelled_images import labelled_zip
from trainer.pipeline.evaluation.power_law import Point, forecast


def concluded(*exact: int, images: int) -> str:
    points = [Point(100 * 2**i, right, images) for i, right in enumerate(exact)]
    return conclusion(points, forecast(points))


def test_it_says_what_twice_the_labels_bring_and_on_what_that_rests() -> None:
    text = concluded(600, 800, 900, images=1000)

    assert text.startswith("Twice the labels cut the errors by about 50 %")
    assert "Expect about 95.0 % with 800 labels" in text
    assert "1000 held-out images" in text


def test_it_says_that_it_cannot_tell() -> None:
    assert "cannot be told" in concluded(90, 90, 91, images=100)


def test_it_says_that_a_perfect_test_part_shows_nothing_more() -> None:
    text = concluded(80, 98, 100, images=100)

    assert text.startswith("All 100 held-out images are predicted correctly")
    assert "96.3 %" in text


def test_it_says_that_too_few_runs_learned() -> None:
    assert "Too few of the trainings learned" in concluded(0, 0, 50, images=100)


def test_a_dataset_that_cannot_be_used_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    dataset = labelled_zip(tmp_path / "set.zip", ["A", "B"])

    result = run("learning-curve", dataset)

    assert result.exit_code == 1
    assert "usable labelled images were found" in result.stderr
