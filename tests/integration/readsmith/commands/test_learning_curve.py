"""`readsmith learning-curve`: one real tiny run."""

import json
from pathlib import Path

from tests.support.commands import Run
from tests.support.labelled_images import labelled_zip, texts


def test_it_trains_on_parts_of_the_labels_and_publishes_nothing(run: Run, tmp_path: Path) -> None:
    dataset = labelled_zip(tmp_path / "set.zip", texts(160))

    result = run("learning-curve", dataset, "--epochs", 12, "--json")

    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    labels = [point["labels"] for point in report["points"]]
    assert labels[:2] == [36, 72]
    assert 140 <= labels[2] <= 144  # images that look alike stay together
    [images] = {point["images"] for point in report["points"]}
    assert 16 <= images <= 18
    assert report["conclusion"]
    assert "WARNING" not in result.stderr
    assert list(tmp_path.iterdir()) == [dataset]
