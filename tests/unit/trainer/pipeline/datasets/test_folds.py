from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from tests.unit.trainer.pipeline.datasets.test_split import an_image, grouped, some_images
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.load import FEW, load_dataset
from trainer.pipeline.datasets.parts.folds import FOLDS, fold
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.search_request import Search, Values


@given(st.lists(st.integers(1, 4), min_size=12, max_size=30), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_image_is_in_one_fold_and_groups_stay_together(sizes: list[int], seed: int) -> None:
    units = [unit for unit, size in enumerate(sizes) for _ in range(size)]
    images = ImageTable(an_image(i, "A") for i in range(len(units)))
    done = fold(images, JobRequest(seed=seed), grouped(units))
    assert sorted(n for part in done.folds for n in part.names) == sorted(images.names)
    of_fold = [{units[int(one.name[:-4])] for one in part} for part in done.folds]
    assert sum(map(len, of_fold)) == len(sizes)
    assert max(map(len, done.folds)) - min(map(len, done.folds)) <= max(sizes)
    assert done.grouped == 0


def test_a_group_too_large_for_a_fold_is_taken_apart_and_that_is_told() -> None:
    done = fold(some_images(40), JobRequest(), grouped(i // 20 for i in range(40)))
    assert [len(part) for part in done.folds] == [10] * FOLDS
    assert done.grouped == 40


def test_limiting_the_images_limits_all_folds_together() -> None:
    few = JobRequest(hyperparameters=Hyperparameters(limit_images=12))
    done = fold(some_images(40), few, grouped(range(40)))
    assert [len(part) for part in done.folds] == [3] * FOLDS
    assert len(done.parts[0]) == 12


def test_two_images_are_a_fold_each() -> None:
    few = JobRequest(hyperparameters=Hyperparameters(limit_images=2))
    done = fold(some_images(40), few, grouped(range(40)))
    assert [len(part) for part in done.folds] == [1, 1]


def test_each_network_learns_from_all_folds_but_its_own(tmp_path: Path) -> None:
    dataset = load_dataset(labelled_zip(tmp_path / "set.zip", texts(30)), JobRequest())
    whole = set(dataset.train.names)
    assert len(whole) == dataset.summary["images"]
    for number, held_out in enumerate(dataset.folds):
        without = dataset.without_fold(number)
        assert set(without.train.names) == whole - set(held_out.names)
        assert list(without.validation) == list(held_out)
    assert list(dataset.measured.names) == [name for part in dataset.folds for name in part.names]
    assert dataset.summary["split_notes"][-1:] == [
        f"All {len(whole)} images are learned from, and measure in {FOLDS} folds "
        '(evaluation "test_part" holds some back).'
    ]


@pytest.mark.parametrize(
    ("count", "request_", "folds"),
    [
        (FEW - 1, JobRequest(), FOLDS),
        (FEW, JobRequest(), 0),
        (FEW, JobRequest(evaluation="cross_validation"), FOLDS),
        (30, JobRequest(evaluation="test_part"), 0),
        (30, JobRequest(hyperparameters=Hyperparameters(epochs=9)), 0),
        (30, JobRequest(preset="crnn"), 0),
        (30, JobRequest(base="none"), 0),
        (30, JobRequest(search=Search(parameters={"batch_size": Values(choices=[8, 16])})), 0),
    ],
)
def test_few_images_are_divided_into_folds_where_nothing_speaks_against_it(
    tmp_path: Path, count: int, request_: JobRequest, folds: int
) -> None:
    labels = [f"{number:03}" for number in range(count)]
    dataset = load_dataset(labelled_zip(tmp_path / "set.zip", labels), request_)
    assert len(dataset.folds) == dataset.summary["folds"] == folds
    assert bool(len(dataset.test)) == (not folds)


def test_the_user_s_own_parts_are_not_divided(tmp_path: Path) -> None:
    files = {
        f"{'test' if i % 5 == 0 else 'train'}/{i:03}.png": image(f"{i:03}", seed=i)
        for i in range(40)
    }
    dataset = load_dataset(write_zip(tmp_path / "set.zip", files), JobRequest(labels="filename"))
    assert not dataset.folds
    assert len(dataset.test) == 8


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"preset": "crnn"}, "presets conv and conv-large only"),
        ({"base": "none"}, "begins from the starter"),
        ({"base": 3}, "begins from the starter"),
        ({"hyperparameters": {"standardize": False}}, "standardized"),
        ({"search": {"parameters": {"batch_size": {"choices": [8, 16]}}}}, "in a search"),
    ],
)
def test_cross_validation_needs_networks_that_begin_alike(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        JobRequest.model_validate({"evaluation": "cross_validation", **fields})
    [error] = refused.value.errors()
    assert error["loc"] == ("evaluation",)
    assert why in error["msg"]
