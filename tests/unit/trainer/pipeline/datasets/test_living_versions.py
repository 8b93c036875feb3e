"""A version of a living dataset as a training reads it."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ReadsmithError
from tests.support.labelled_images import image
from trainer.files.shared_files import FolderFiles, dataset_image_name, dataset_version_name
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.parts.sides import measuring
from trainer.pipeline.datasets.writers.versions import (
    ListedImage,
    assemble,
    read_version,
    write_version,
)
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError, Observer

ID = "dataset-" + "0" * 32
REQUEST = JobRequest(evaluation="test_part")


def listed(
    number: int, text: str, state: str = "confirmed", *, random: bool = False
) -> ListedImage:
    return ListedImage(f"{number:03}.png", f"{number:064x}", "png", text, state, random)


def stored(folder: Path, images: list[ListedImage]) -> FolderFiles:
    files = FolderFiles(folder)
    for each in images:
        data = image(each.text or "X", seed=int(each.sha256, 16))
        files.write(data, dataset_image_name(ID, each.sha256, each.ending))
    files.write(write_version(images), dataset_version_name(ID, 3))
    return files


def loaded(folder: Path, images: list[ListedImage], request: JobRequest = REQUEST) -> Dataset:
    packed = assemble(ID, 3, folder / "cache", stored(folder / "shared", images), Observer())
    return load_dataset(packed, request)


def labelled(count: int, *, random: int) -> list[ListedImage]:
    """So many images, the first of which were labelled in random order."""
    return [listed(n, "AHX"[n % 3] + "AHX"[n // 3 % 3], random=n < random) for n in range(count)]


def test_a_list_comes_back_as_it_was_written() -> None:
    images = [listed(1, 'a,"b"\n', random=True), listed(2, "", "unlabelled")]
    assert list(read_version(write_version(images))) == images


def test_a_training_reads_texts_unreadable_and_unlabelled_images(tmp_path: Path) -> None:
    odd = [listed(90, "", "unlabelled"), listed(91, "", "unreadable"), listed(92, "=A")]
    dataset = loaded(tmp_path, [*labelled(30, random=0), *odd], JobRequest())
    texts = dict(zip(dataset.train.names, dataset.train.labels, strict=True))
    assert texts["091.png"] == "" and texts["092.png"] == "=A"
    assert list(dataset.unlabelled.names) == ["090.png"]
    assert dataset.summary["nothing_to_read"] == 1
    assert not any("row" in warning for warning in dataset.summary["warnings"])


def test_images_in_random_order_alone_measure(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, labelled(120, random=24))
    held_out = {*dataset.test.names, *dataset.validation.names}
    assert held_out and all(int(name[:3]) < 24 for name in held_out)
    assert len(dataset.train) + len(held_out) == 120
    assert any("random order" in note for note in dataset.summary["split_notes"])


def test_in_folds_they_alone_measure_and_all_are_learned_from(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, labelled(60, random=20), JobRequest())
    assert sorted(int(name[:3]) for name in dataset.measured.names) == list(range(20))
    assert len(dataset.train) == 60
    rest = dataset.without_fold(0)
    assert len(rest.train) == 60 - len(dataset.folds[0])


def test_fewer_than_20_in_random_order_are_split_as_ever(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, labelled(60, random=19), JobRequest())
    assert len(dataset.measured) == 60
    assert not any("random order" in note for note in dataset.summary["split_notes"])


def sides(random: Sequence[bool], units: Sequence[int]) -> list[bool]:
    """Return which images measure, of those in random order and units that look alike."""
    names = [f"{number}.png" for number in range(len(random))]
    table = ImageTable(LabelledImage(name, "A", "0" * 64, (8, 8)) for name in names)
    found = FoundLabels("a list")
    found.labellings = {
        n: {"random": "true"} for n, is_so in zip(names, random, strict=True) if is_so
    }
    measures: list[bool] = measuring(table, found, np.array(units)).tolist()
    return measures


def test_what_looks_like_an_image_that_is_learned_from_measures_only_if_need_be() -> None:
    random = [True] * 21 + [False]
    assert sides(random, range(22)) == random
    twin = [*range(21), 0]  # the last looks like the first
    assert sides(random, twin) == [False, *[True] * 20, False]
    assert sides(random[1:], [0] * 20 + [0]) == random[1:]  # all alike, and there are no others
    assert sides(random[2:], range(20)) == [True] * 20  # too few: all measure


def test_a_version_is_put_together_once(tmp_path: Path) -> None:
    files = stored(tmp_path / "shared", labelled(3, random=0))
    first = assemble(ID, 3, tmp_path / "cache", files, Observer())
    files.remove("datasets")
    assert assemble(ID, 3, tmp_path / "cache", files, Observer()) == first
    with zipfile.ZipFile(first) as packed:
        assert packed.testzip() is None and len(packed.namelist()) == 4


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    files = stored(tmp_path / "shared", labelled(3, random=0))
    with pytest.raises(ReadsmithError) as caught:
        assemble(ID, 4, tmp_path / "cache", files, Observer())
    assert caught.value.code == "dataset_not_found"
    files.remove(dataset_image_name(ID, f"{1:064x}", "png"))
    with pytest.raises(ReadsmithError) as caught:
        assemble(ID, 3, tmp_path / "cache", files, Observer())
    assert caught.value.code == "storage_unavailable" and "001.png" in caught.value.message
    assert list((tmp_path / "cache").iterdir()) == []


def test_putting_it_together_can_be_cancelled(tmp_path: Path) -> None:
    class Cancelled(Observer):
        def checkpoint(self) -> None:
            raise CancelledRunError

    files = stored(tmp_path / "shared", labelled(3, random=0))
    with pytest.raises(CancelledRunError):
        assemble(ID, 3, tmp_path / "cache", files, Cancelled())
    assert list((tmp_path / "cache").iterdir()) == []
