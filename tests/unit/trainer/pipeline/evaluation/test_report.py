import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from shared.api.jobs import Progress
from shared.recognition.scoring import edit_distance
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import FolderSource
from trainer.pipeline.evaluation.report.curves import draw_learning_curves, write_tensorboard
from trainer.pipeline.evaluation.report.mistakes import align, describe_mistakes
from trainer.pipeline.evaluation.report.worst import worst_predictions
from trainer.pipeline.evaluation.report.write import write_csv

TEXTS = st.text("abc", max_size=7)


def history(epochs: int) -> list[Progress]:
    return [
        Progress(
            epoch=epoch,
            epochs=epochs,
            loss=10 / epoch,
            validation_loss=12 / epoch,
            exact_match=1 - 1 / epoch,
            images_per_second=100.0,
            seconds=2.0 * epoch,
            seconds_left=0.0,
        )
        for epoch in range(1, epochs + 1)
    ]


FORMULAS = ("=1+1", "+49", "-5", "@a", "'=1", "''-5", "'", "a=b")


def test_no_cell_is_a_formula_and_a_corrected_table_is_a_label_file(tmp_path: Path) -> None:
    images = [f"{number}.png" for number in range(len(FORMULAS))]
    rows = zip(images, FORMULAS, FORMULAS, [0.5] * len(images), strict=True)
    write_csv(tmp_path / "labels.csv", ("filename", "text", "predicted", "confidence"), rows)
    for image in images:
        (tmp_path / image).touch()
    cells = list(csv.reader((tmp_path / "labels.csv").open(newline="")))[1:]
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in cells for cell in row
    )
    assert cells[0] == ["0.png", "'=1+1", "'=1+1", "0.5"]
    found = find_labels(FolderSource(tmp_path), "manifest")
    assert found.labels == dict(zip(images, FORMULAS, strict=True))


def test_the_worst_predictions_are_read_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "report" / "worst"
    folder.mkdir(parents=True)
    row = ("01.png", "=a.png", "-5", "+5", 0.5)
    write_csv(folder / "worst.csv", ("image", "file", "truth", "text", "confidence"), [row])
    assert worst_predictions(tmp_path) == [
        {
            **{"image": "report/worst/01.png", "file": "=a.png", "truth": "-5", "text": "+5"},
            "confidence": 0.5,
        }
    ]


@given(TEXTS, TEXTS)
def test_an_alignment_holds_both_texts_and_has_the_fewest_edits(truth: str, text: str) -> None:
    pairs = align(truth, text)
    assert "".join(left for left, _ in pairs) == truth
    assert "".join(right for _, right in pairs) == text
    assert sum(left != right for left, right in pairs) == edit_distance(truth, text)


@pytest.mark.parametrize(
    ("truth", "text", "pairs"),
    [
        ("ab", "ac", [("a", "a"), ("b", "c")]),
        ("abc", "ac", [("a", "a"), ("b", ""), ("c", "c")]),
        ("ac", "abc", [("a", "a"), ("", "b"), ("c", "c")]),
        ("", "", []),
        ("ಕಿವ", "ಕೆವ", [("ಕಿ", "ಕೆ"), ("ವ", "ವ")]),
        ("ಕಿವ", "ಕವ", [("ಕಿ", "ಕ"), ("ವ", "ವ")]),
    ],
)
def test_characters_are_aligned_by_edits(
    truth: str, text: str, pairs: list[tuple[str, str]]
) -> None:
    assert align(truth, text) == pairs


def test_mistakes_are_counted_by_character_and_by_length() -> None:
    found = describe_mistakes(
        [("ab", "ab"), ("ab", "ac"), ("ab", "ac"), ("bb", "b"), ("a", "aa"), ("abc", "xbc")]
    )
    assert found["confusions"] == [
        {"truth": "b", "text": "c", "count": 2},
        {"truth": "a", "text": "x", "count": 1},
    ]
    assert found["insertions"] == {"a": 1}
    assert found["deletions"] == {"b": 1}
    assert found["by_character"] == {
        "a": {"count": 5, "right": 4},
        "b": {"count": 6, "right": 3},
        "c": {"count": 1, "right": 1},
    }
    assert found["by_length"] == {
        "1": {"images": 1, "right": 0},
        "2": {"images": 4, "right": 1},
        "3": {"images": 1, "right": 0},
    }


@pytest.mark.parametrize("epochs", [1, 40])
def test_learning_curves_are_a_png_in_which_something_is_drawn(tmp_path: Path, epochs: int) -> None:
    draw_learning_curves(history(epochs), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert (image.format, image.size) == ("PNG", (900, 360))
        assert len(image.convert("RGB").getcolors(100_000) or []) > 20


def test_tensorboard_reads_every_epoch(tmp_path: Path) -> None:
    write_tensorboard(history(3), tmp_path / "tensorboard")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["loss", "validation_loss", "exact_match"]
    losses = events.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3]
    assert [event.value for event in losses] == pytest.approx([10.0, 5.0, 10 / 3])
    assert losses[2].wall_time - losses[0].wall_time == pytest.approx(4.0, abs=0.01)
