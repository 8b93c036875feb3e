"""Tables of images and texts, as Hugging Face writes them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from shared.errors import ReadsmithError
from tests.support.labelled_images import image
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.datasets.writers.convert import convert
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DatasetLimits

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TEXTS = ["0071", "=1+1", 'a "b", c', "שלום", "a  b"]


def write(path: Path, texts: Sequence[Any], **further: Sequence[Any]) -> Path:
    rows = [{"bytes": image(str(text), seed=i), "path": None} for i, text in enumerate(texts)]
    columns = {"image": pa.array(rows, IMAGE), "text": list(texts)} | further
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=3)
    return path


def test_a_table_is_a_set_of_its_images_with_the_texts_as_they_are(tmp_path: Path) -> None:
    source = open_source(write(tmp_path / "set.parquet", TEXTS, group=["m"] * 5, other=[1] * 5))
    found = find_labels(source, "auto")
    assert [found.labels[f"set/{i:07}.png"] for i in range(5)] == TEXTS
    assert source.read("set/0000002.png") == image(TEXTS[2], seed=2)
    assert set(found.groups.values()) == {"m"}
    assert found.notes == ["Hugging Face metadata metadata.jsonl: 5 of 5 images found."]


def test_tables_of_parts_are_folders_of_these_parts(tmp_path: Path) -> None:
    for part, prefix in (("train", "A"), ("validation", "B"), ("test", "C")):
        write(tmp_path / f"data/{part}-00000-of-00001.parquet", [f"{prefix}{i}" for i in range(9)])
    dataset = load_dataset(tmp_path, JobRequest())
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [9, 9, 9]
    assert dataset.summary["parts_from"] == "folders test and train and validation"


def test_numbers_instead_of_texts_are_left_out_and_named(tmp_path: Path) -> None:
    found = find_labels(open_source(write(tmp_path / "set.parquet", [7, 8])), "auto")
    assert len(found.labels) == 0
    assert "has 7 instead of a text in quotation marks" in found.warnings[0]


def test_a_row_without_an_image_is_named(tmp_path: Path) -> None:
    rows = [{"bytes": b"x", "path": "a.JPG"}, {"bytes": None, "path": "b.png"}, None]
    table = pa.table({"image": pa.array(rows, IMAGE), "label": ["A", "B", "C"]})
    parquet.write_table(table, tmp_path / "set.parquet")
    found = find_labels(open_source(tmp_path / "set.parquet"), "auto")
    assert found.labels == {"set/0000000.JPG": "A"}
    assert [problem.kind for problem in found.problems] == ["missing_image"] * 2


def test_a_table_can_be_converted_to_files(tmp_path: Path) -> None:
    convert(write(tmp_path / "set.parquet", TEXTS), tmp_path / "out", "auto", "readsmith")
    found = find_labels(open_source(tmp_path / "out"), "auto")
    assert list(found.labels.values()) == TEXTS


@pytest.mark.parametrize("keep", [4, 100, -20])
def test_a_cut_table_is_called_so(keep: int, tmp_path: Path) -> None:
    path = write(tmp_path / "set.parquet", TEXTS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ReadsmithError, match=r"set\.parquet cannot be read as a parquet table"):
        open_source(path)


def test_a_table_without_texts_or_images_names_its_columns(tmp_path: Path) -> None:
    for columns in ({"image": pa.array([None], IMAGE), "id": [1]}, {"text": ["A"]}):
        parquet.write_table(pa.table(columns), tmp_path / "set.parquet")
        with pytest.raises(ReadsmithError, match=f"the columns {', '.join(columns)}") as refused:
            open_source(tmp_path / "set.parquet")
        assert refused.value.code == "labels_header"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (DatasetLimits(bytes=100), "dataset_too_large"),
        (DatasetLimits(files=4), "dataset_too_many_files"),
    ],
)
def test_the_limits_of_zips_hold_for_tables(
    limits: DatasetLimits, code: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError) as refused:
        open_source(write(tmp_path / "set.parquet", TEXTS), limits)
    assert refused.value.code == code


def test_an_image_that_a_dictionary_repeats_counts_each_time(tmp_path: Path) -> None:
    rows = pa.array([{"bytes": b"x" * 100_000, "path": None}] * 200, IMAGE)
    parquet.write_table(pa.table({"image": rows, "text": ["A"] * 200}), tmp_path / "set.parquet")
    assert (tmp_path / "set.parquet").stat().st_size < 1_000_000
    with pytest.raises(ReadsmithError) as refused:
        open_source(tmp_path / "set.parquet", DatasetLimits(bytes=10_000_000))
    assert refused.value.code == "dataset_too_large"


def test_without_the_extra_what_to_install_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "set.parquet", TEXTS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ReadsmithError) as refused:
        open_source(path)
    assert refused.value.code == "package_missing"
    assert refused.value.hint == "pip install 'readsmith[parquet]'"
