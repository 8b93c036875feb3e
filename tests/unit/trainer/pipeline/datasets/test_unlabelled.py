"""Images without a text are kept for self-training, but none that measures."""

from pathlib import Path

import pytest

from tests.support.labelled_images import image, write_zip
from trainer.pipeline.datasets.clean import MOST_UNLABELLED
from trainer.pipeline.datasets.load import load_dataset
from trainer.schemas.job_request import JobRequest

LABELLED = [f"{number:02}" for number in range(20)]


def a_zip(path: Path, extra: dict[str, bytes], rows: str = "") -> Path:
    labels = "".join(f"{text}.png,{text}\n" for text in LABELLED)
    entries = {f"{text}.png": image(text) for text in LABELLED} | extra
    return write_zip(path, entries | {"labels.csv": f"filename,text\n{labels}{rows}".encode()})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.zip"


def test_those_that_no_list_names_and_those_without_a_text(path: Path) -> None:
    extra = {"one.png": image("1111"), "two.png": image("2222")}
    dataset = load_dataset(a_zip(path, extra, "two.png,\n"), JobRequest())
    assert list(dataset.unlabelled.names) == ["one.png", "two.png"]
    assert set(dataset.unlabelled.labels) == {""}
    assert dataset.summary["unlabelled"] == 2
    assert len(dataset.train) == len(LABELLED)


def test_none_that_a_labelled_file_also_holds_and_none_twice_or_unreadable(path: Path) -> None:
    extra = {
        "copy.png": image(LABELLED[0]),
        "one.png": image("1111"),
        "again.png": image("1111"),
        "broken.png": b"no image",
    }
    dataset = load_dataset(a_zip(path, extra), JobRequest())
    assert list(dataset.unlabelled.names) == ["again.png"]


def test_none_that_the_request_labels_or_leaves_out(path: Path) -> None:
    extra = {"one.png": image("1111"), "two.png": image("2222"), "three.png": image("3333")}
    request = JobRequest(relabel={"one.png": "1111", "two.png": None})
    assert list(load_dataset(a_zip(path, extra), request).unlabelled.names) == ["three.png"]


@pytest.mark.parametrize(
    "request_", [JobRequest(self_training="off"), JobRequest(evaluation="test_part")]
)
def test_none_where_nothing_is_learned_from_them(path: Path, request_: JobRequest) -> None:
    dataset = load_dataset(a_zip(path, {"one.png": image("1111")}), request_)
    assert len(dataset.unlabelled) == 0


def test_of_many_a_sample_that_the_seed_draws(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_UNLABELLED >= 100
    monkeypatch.setattr("trainer.pipeline.datasets.clean.MOST_UNLABELLED", 5)
    extra = {f"{n}.png": image(f"{n:04}") for n in range(20)}
    a_zip(path, extra)
    drawn = [set(load_dataset(path, JobRequest(seed=seed)).unlabelled.names) for seed in (0, 0, 1)]
    assert len(drawn[0]) == 5
    assert drawn[0] == drawn[1] != drawn[2]
