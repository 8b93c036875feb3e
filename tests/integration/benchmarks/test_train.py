"""The benchmark's command, in its tiny form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measurement import SEED_RECIPE, Measurement
from benchmarks.parts import PARTS, MissingDataError, Setting
from benchmarks.record import PartRecord, Record
from shared.errors import ReadsmithError
from tests.support.labelled_images import labelled_zip, texts
from tests.support.paths import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of small sets under the names of the real ones."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("captcha_images_v2.zip", "plates.zip"):
        labelled_zip(folder / name, texts(40))
    return folder


def benchmark(*arguments: str | Path, data: Path | None) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if k != "READSMITH_TEST_DATA"}
    if data is not None:
        environment["READSMITH_TEST_DATA"] = str(data)
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.train", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("part", PARTS)
def test_every_part_measures_sets_that_are_there_reference_and_ours_in_turn(
    part: str, data: Path, tmp_path: Path
) -> None:
    measurements = list(PARTS[part](Setting(data, tmp_path, seeds=2, quick=True)))

    assert all(measurement.dataset.exists() for measurement in measurements)
    assert {measurement.seed for measurement in measurements} == {0, 1}
    if part in ("v2", "labels", "plates"):
        assert [m.side for m in measurements] == ["reference", "ours"] * (len(measurements) // 2)


def test_an_earlier_checkout_is_measured_in_turn_and_what_the_file_holds_is_not_repeated(
    data: Path, tmp_path: Path
) -> None:
    setting = Setting(data, tmp_path, seeds=1, quick=True, baseline=True)
    assert [m.side for m in PARTS["sets"](setting)] == ["earlier", "ours"]
    checkout, file = tmp_path / "checkout", tmp_path / "sets.json"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho once >> {tmp_path}/asked\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (checkout / "benchmarks").symlink_to(ROOT / "benchmarks")
    asked = ("--part", "sets", "--quick", "--json", file, "--baseline", checkout)
    for _ in range(2):
        done = benchmark(*asked, data=data)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().split() == ["once"]
    runs = Record.load(file).parts["sets"].runs
    assert [run.measurement.side for run in runs] == ["earlier", "ours"]
    assert "of the seconds" in done.stdout


def test_ours_gets_no_options_and_the_reference_the_seed_recipe() -> None:
    ours = Measurement(side="ours", set="V2", dataset=Path("v2.zip"), seed=3, limit_images=10)
    theirs = ours.model_copy(update={"side": "reference"})

    assert ours.request().hyperparameters.model_dump(exclude_defaults=True) == {"limit_images": 10}
    assert theirs.request().preset == "crnn"
    assert theirs.request().hyperparameters == SEED_RECIPE.model_copy(update={"limit_images": 10})
    assert ours.request().seed == theirs.request().seed == 3


def test_without_the_real_sets_a_part_says_which_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="READSMITH_TEST_DATA"):
        list(PARTS["v2"](Setting(None, tmp_path, seeds=None, quick=True)))
    with pytest.raises(MissingDataError, match=r"plates\.zip"):
        list(PARTS["plates"](Setting(tmp_path, tmp_path, seeds=None, quick=True)))


def test_parts_whose_data_are_missing_are_skipped_and_earlier_results_are_kept(
    tmp_path: Path,
) -> None:
    file = tmp_path / "result.json"
    Record(parts={"plates": PartRecord.begin("an earlier run")}).save(file)

    done = benchmark("--part", "plates", "--quick", "--json", file, data=None)

    assert done.returncode == 0
    assert "plates: skipped, READSMITH_TEST_DATA" in done.stderr
    assert Record.load(file).parts["plates"].command == "an earlier run"


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text('{"other": 1}')

    with pytest.raises(ReadsmithError, match="is not a result of this benchmark"):
        Record.load(file)
    done = benchmark("--part", "drawn", "--json", file, data=None)

    assert done.returncode != 0
    assert done.stderr.startswith("error: ")
    assert file.read_text() == '{"other": 1}'


def test_a_part_measures_both_sides_prints_the_table_and_joins_the_file(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    Record(parts={"plates": PartRecord.begin("an earlier run")}).save(file)

    done = benchmark("--part", "v2", "--quick", "--json", file, data=data)

    assert done.returncode == 0, done.stderr
    assert "V2: training seconds until 99 %" in done.stdout
    record = json.loads(file.read_text())
    assert list(record["parts"]) == ["plates", "v2"]
    part = record["parts"]["v2"]
    reference, ours = part["runs"]
    assert (reference["measurement"]["side"], ours["measurement"]["side"]) == ("reference", "ours")
    assert reference["epochs"] == 2
    assert part["machine"]["cores"] >= 1
    assert part["commit"]
    assert part["command"].startswith("python -m benchmarks.train --part v2")
    for run in (reference, ours):
        assert run["test_images"] == 4
        assert run["peak_bytes"] > 10**8
        assert run["train_seconds"] > 0
