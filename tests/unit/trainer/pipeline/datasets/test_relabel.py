"""Labels that somebody has looked at: in the request, and as corrections beside the dataset."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from shared.errors import ReadsmithError
from tests.support.labelled_images import image, write_zip
from trainer.pipeline.datasets.dataset import Base, Dataset, Rehearsal
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.parts.split import split
from trainer.pipeline.networks.inference import load_pixels
from trainer.schemas.job_request import JobRequest


def numbered(count: int) -> dict[str, bytes]:
    return {f"{i:03}"[::-1] + ".png": image(f"{i:03}"[::-1], seed=i) for i in range(count)}


def loaded(
    folder: Path,
    relabel: dict[str, str | None] | None = None,
    further: dict[str, bytes] | None = None,
    corrections: Path | None = None,
) -> Dataset:
    path = write_zip(folder / "set.zip", numbered(20) | (further or {}))
    return load_dataset(path, JobRequest(relabel=relabel or {}), corrections=corrections)


def corrected(folder: Path, texts: dict[str, tuple[bytes, str]]) -> Path:
    """A zip as the trainer writes it of a model's corrections."""
    rows = "\n".join(["filename,text", *(f"{name},{text}" for name, (_, text) in texts.items())])
    images = {name: data for name, (data, _) in texts.items()}
    return write_zip(folder / "corrections.zip", images | {"labels.csv": rows.encode()})


def labels(dataset: Dataset) -> dict[str, str]:
    parts = (*dataset.train, *dataset.validation, *dataset.test)
    return {image.name: image.label for image in parts}


def left_out(dataset: Dataset) -> dict[str, str]:
    problems: list[dict[str, Any]] = dataset.summary["problems"]
    return {problem["file"]: problem["kind"] for problem in problems}


def test_a_label_is_replaced_and_an_image_left_out(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, {"300.png": " 8 ", "400.png": None})
    assert labels(dataset)["300.png"] == "8"
    assert left_out(dataset) == {"400.png": "dropped"}
    assert len(labels(dataset)) == 19


def test_a_file_without_a_usable_label_gets_one(tmp_path: Path) -> None:
    rows = "\n".join(
        ["filename,text", *(f"{i:03}"[::-1] + f".png,{i}" for i in range(18)), "810.png,"]
    )
    dataset = loaded(tmp_path, {"810.png": "a", "910.png": "b"}, {"labels.csv": rows.encode()})
    assert labels(dataset)["810.png"] == "a"
    assert labels(dataset)["910.png"] == "b"
    assert dataset.summary["left_out"] == {}


def test_names_that_the_dataset_does_not_hold_are_warned_of(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, {"300.png": "8", "gone.png": "8", "elsewhere/400.png": None})
    assert "2 of the names in relabel are not of images" in dataset.summary["warnings"][0]


def test_copies_of_an_image_follow_the_label_that_was_decided_on(tmp_path: Path) -> None:
    images = numbered(20)
    copies = {f"copy/{name}": images[name] for name in ("000.png", "300.png", "400.png")}
    dataset = loaded(tmp_path, {"copy/300.png": "8", "copy/400.png": None}, copies)
    assert labels(dataset)["copy/300.png"] == "8"
    assert left_out(dataset) == {
        "copy/000.png": "duplicate",
        "300.png": "corrected",
        "400.png": "dropped",
        "copy/400.png": "dropped",
    }


def test_leaving_an_image_out_moves_no_other_into_another_part() -> None:
    images = ImageTable(
        LabelledImage(f"{i}.png", "AB"[i % 2], f"{i:064x}", (8, 8)) for i in range(200)
    )
    for seed in range(5):
        request = JobRequest(seed=seed)
        train, validation, test = map(list, split(images, request).parts)
        fewer = ImageTable(image for image in images if image != train[0])
        assert list(map(list, split(fewer, request).parts)) == [train[1:], validation, test]


def test_corrections_are_learned_and_never_tested(tmp_path: Path) -> None:
    texts = {f"{i}.png": (image(f"A{i}", seed=90 + i), f"A{i}") for i in range(8)}
    dataset = loaded(tmp_path, corrections=corrected(tmp_path, texts))
    added = {f"corrections/{i}.png" for i in range(8)}
    assert {one.name for one in dataset.train} >= added
    assert dataset.summary["corrections"] == 8
    assert dataset.summary["images"] == 28
    assert "A" in dataset.vocabulary.characters
    assert list(dataset.test) == list(loaded(tmp_path).test)
    name = "corrections/3.png"
    assert pickle.loads(pickle.dumps(dataset.source)).read(name) == texts["3.png"][0]


def test_a_correction_takes_the_place_of_the_datasets_label(tmp_path: Path) -> None:
    wrong, right = numbered(20)["300.png"], numbered(20)["400.png"]
    texts = {"a.png": (wrong, "777"), "b.png": (right, "400")}
    dataset = loaded(tmp_path, corrections=corrected(tmp_path, texts))
    assert labels(dataset)["corrections/a.png"] == "777"
    assert left_out(dataset) == {"300.png": "corrected", "400.png": "duplicate"}


def test_what_the_request_says_of_an_image_counts_more_than_a_correction(tmp_path: Path) -> None:
    texts = {"a.png": (numbered(20)["300.png"], "777")}
    dataset = loaded(tmp_path, {"300.png": "888"}, corrections=corrected(tmp_path, texts))
    assert labels(dataset)["300.png"] == "888"
    assert left_out(dataset) == {"corrections/a.png": "corrected"}


def test_a_correction_can_be_relabelled_as_any_image(tmp_path: Path) -> None:
    texts = {"a.png": (image("A"), "A"), "b.png": (image("B"), "B")}
    relabel = {"corrections/a.png": "X", "corrections/b.png": None}
    dataset = loaded(tmp_path, relabel, corrections=corrected(tmp_path, texts))
    assert labels(dataset)["corrections/a.png"] == "X"
    assert left_out(dataset) == {"corrections/b.png": "dropped"}
    assert not any("relabel" in warning for warning in dataset.summary["warnings"])


def test_a_base_rehearses_no_label_that_has_been_put_right(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    pixels = load_pixels(first.source, first.train, first.image)
    rehearsal = Rehearsal(tuple(pixels), tuple(image.label for image in first.train))
    base = Base("m/1", first.image, first.vocabulary, {}, frozenset(), rehearsal)
    wrong, dropped = first.train[0].name, first.train[1].name
    path, relabel = tmp_path / "set.zip", {wrong: "8", dropped: None}
    again = load_dataset(path, JobRequest(relabel=relabel), base).rehearsal
    assert again.labels == rehearsal.labels[2:]
    assert np.array_equal(np.stack(again.pixels), np.stack(rehearsal.pixels[2:]))


def test_a_dataset_of_its_own_is_needed_beside_corrections(tmp_path: Path) -> None:
    few = write_zip(tmp_path / "few.zip", numbered(9))
    texts = {f"{i}.png": (image(f"A{i}", seed=90 + i), f"A{i}") for i in range(8)}
    with pytest.raises(ReadsmithError, match="9 usable labelled images") as refused:
        load_dataset(few, JobRequest(), corrections=corrected(tmp_path, texts))
    assert refused.value.code == "too_few_images"


@pytest.mark.parametrize(
    ("relabel", "message"),
    [
        ({"a.png": " "}, "is empty"),
        ({"a.png": "x" * 1001}, "at most 1000 characters"),
        ({"a.png": "a\x07"}, "holds control characters"),
        ({"a\n.png": "a"}, "holds control characters"),
        ({"": "a"}, "at least 1 character"),
        (dict.fromkeys(map(str, range(10_001)), "a"), "at most 10000 items"),
    ],
)
def test_a_label_that_cannot_be_one_is_refused(
    relabel: dict[str, str | None], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        JobRequest(relabel=relabel)
