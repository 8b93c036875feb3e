from pathlib import Path

import pytest

from benchmarks import few_labels
from benchmarks.few_labels import Record, Run, main, show
from benchmarks.record import Machine
from tests.support.labelled_images import labelled_zip, texts


def a_run(draw: int, right: int, own: tuple[float, float] = (0.6, 0.95)) -> Run:
    return Run(
        commit="c", set="plates", labels=10, draw=draw, way="default", preset="conv", right=right,
        images=150, own=own, seconds=60.0 + draw, load=0.5,
    )  # fmt: skip


def test_the_table_gives_every_draw_and_how_often_the_own_interval_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = [a_run(0, 120), a_run(1, 90), a_run(2, 75)]
    show(Record(machine=Machine.this(), runs=runs))
    shown = capsys.readouterr().out
    assert "63.3%" in shown
    assert "120, 90, 75 of 150" in shown
    assert "2 of 3" in shown


def test_runs_that_a_file_holds_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled_zip(tmp_path / "plates.zip", texts(20))
    measured = []

    def measure(name: str, images: object, count: int, draw: int, way: str) -> Run:
        measured.append(draw)
        return a_run(draw, 100)

    monkeypatch.setenv("READSMITH_TEST_DATA", str(tmp_path))
    monkeypatch.setattr(few_labels, "measure", measure)
    monkeypatch.setattr(few_labels, "commit", lambda: "c")
    options = ["--set", "plates", "--labels", "10", "--way", "default"]
    for draws in ("1", "3"):
        arguments = ["few_labels", *options, "--draws", draws, "--json", str(tmp_path / "f.json")]
        monkeypatch.setattr("sys.argv", arguments)
        main()
    assert measured == [0, 1, 2]
    assert "100, 100, 100 of 150" in capsys.readouterr().out
