"""How a training run is shown, and what is said of its result."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from readsmith.commands.train import _print_worst
from readsmith.progress_display import TrainingDisplay
from shared.api.jobs import Progress, Stage
from shared.store.store import ModelStore
from tests.support.models.bundles import publish

EPOCH = Progress(
    epoch=3, epochs=50, loss=0.5, validation_loss=0.6, exact_match=0.25, images_per_second=100.0,
    seconds=8.0, seconds_left=65.0,
)  # fmt: skip
WORST = (
    "image,file,truth,text,confidence\n"
    "01.png,far/ab.png,ab,ac,0.99\n02.png,b.png,b,c,0.9\n03.png,c.png,c,,0.8\n04.png,d.png,d,a,0.1\n"
)


def shown(run: Callable[[TrainingDisplay], None], *, terminal: bool) -> str:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80, highlight=False)
    with TrainingDisplay(console) as display:
        run(display)
    return written.getvalue()


def train(display: TrainingDisplay) -> None:
    display.stage(Stage.DATASET)
    display.stage(Stage.TRAIN)
    display.progress(EPOCH)


def test_on_a_terminal_stages_are_ticked_and_the_bar_tells_the_epoch() -> None:
    text = shown(train, terminal=True)

    assert "✓ Checking the images (0:00)\n" in text
    assert "✓ Training (0:00)" in text
    assert "Training  epoch 3/50  exact match 25.0 %  1:05 left" in text


def test_elsewhere_there_is_a_line_for_each_stage_and_epoch() -> None:
    lines = shown(train, terminal=False).splitlines()

    assert lines[:2] == ["Checking the images", "Training"]
    assert lines[2].startswith("  epoch 3/50  loss 0.500  exact match 25.0 %")
    assert len(lines) == 3


def test_only_a_training_is_finished_and_only_once() -> None:
    answers = []

    def ask(display: TrainingDisplay) -> None:
        display.stage(Stage.DATASET)
        answers.append((display.finish(), display.finishing()))
        display.stage(Stage.TRAIN)
        answers.append((display.finish(), display.finishing()))
        answers.append((display.finish(), display.finishing()))

    text = shown(ask, terminal=False)
    assert answers == [(False, False), (True, True), (False, True)]
    assert text.count("Finishing: what is learned so far is published.") == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "10 seconds"), (44, "40 seconds"), (95, "2 minutes"), (7200, "2 hours")],
)
def test_how_long_training_will_take_is_said_in_words(seconds: float, words: str) -> None:
    text = shown(lambda display: display.estimate(seconds), terminal=False)
    assert text == f"  Training will take about {words}.\n"


def test_a_stage_that_failed_is_not_ticked() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True)
    with pytest.raises(OSError, match="no room"), TrainingDisplay(console) as display:
        display.stage(Stage.EXPORT)
        raise OSError("no room")

    assert "✓" not in written.getvalue()


def test_the_surest_wrong_predictions_and_their_images_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ModelStore(tmp_path / "store")
    publish(store, tmp_path / "build", files={"report/worst/worst.csv": WORST.encode()})

    _print_worst(store.folder("default", 1))

    text = capsys.readouterr().out
    assert "far/ab.png" in text
    assert "99.0 %" in text
    assert "d.png" not in text
    folder = tmp_path / "store/default/versions/1/report/worst"
    assert f"Images of the worst predictions (4): {folder}\n" in text
